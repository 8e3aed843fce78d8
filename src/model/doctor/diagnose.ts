/** All checks of `doctor`, one after the other. Pure: from what was seen to what is wrong. */
import { dockerFindings } from './docker-checks.js';
import type { DoctorFacts } from './facts.js';
import { DOCTOR_CODES, type Finding } from './finding.js';
import {
  clockFindings,
  daemonFindings,
  directoryFindings,
  planFindings,
  privilegeFindings,
  secretFindings,
  sysctlFindings,
} from './host-checks.js';
import {
  blockedPortFindings,
  checksumFindings,
  forwardFindings,
  pathFindings,
  portFindings,
} from './packet-checks.js';
import {
  foreignFindings,
  interfaceFindings,
  overlapFindings,
  peerRouteFindings,
  reversePathFindings,
  ruleFindings,
} from './route-checks.js';
import { etcdFindings, leaseFindings, networkFindings } from './store-checks.js';

const CHECKS: readonly ((facts: DoctorFacts) => readonly Finding[])[] = [
  privilegeFindings,
  secretFindings,
  directoryFindings,
  clockFindings,
  etcdFindings,
  networkFindings,
  leaseFindings,
  interfaceFindings,
  sysctlFindings,
  reversePathFindings,
  peerRouteFindings,
  overlapFindings,
  ruleFindings,
  portFindings,
  blockedPortFindings,
  forwardFindings,
  pathFindings,
  checksumFindings,
  dockerFindings,
  foreignFindings,
  planFindings,
  daemonFindings,
];

/** In the order of DOCTOR_CODES: what comes first may be the cause of what follows. */
export function diagnose(facts: DoctorFacts): readonly Finding[] {
  return CHECKS.flatMap((check) => check(facts)).sort(
    (left, right) => DOCTOR_CODES.indexOf(left.code) - DOCTOR_CODES.indexOf(right.code),
  );
}
