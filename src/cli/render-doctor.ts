/** What `doctor` found, as text and as data. Pure. */

import { counted } from '../model/counted.js';
import type { Unseen } from '../model/doctor/facts.js';
import { AILMENTS, type Finding, type Remedy, type Severity } from '../model/doctor/finding.js';
import { type Colour, type Painter, plain } from '../model/paint.js';

export interface DoctorDocument {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'Diagnosis';
  readonly findings: readonly (Finding & {
    readonly severity: Severity;
    readonly impact: string;
    /** Below the program's documentation. */
    readonly page: string;
  })[];
  /** What could not be looked at, so that nothing is known of it. */
  readonly unseen: readonly Unseen[];
  /** What `--fix` has carried out. */
  readonly fixed: readonly FixedFinding[];
}

export interface FixedFinding {
  readonly code: Finding['code'];
  readonly run: string;
  /** Absent when it was done. */
  readonly error?: string;
}

export function doctorDocument(
  findings: readonly Finding[],
  unseen: readonly Unseen[],
  fixed: readonly FixedFinding[],
): DoctorDocument {
  return {
    apiVersion: 'flannelette/v1',
    kind: 'Diagnosis',
    findings: findings.map((finding) => ({
      ...finding,
      ...AILMENTS[finding.code],
      page: `docs/doctor.md#${finding.code.toLowerCase()}`,
    })),
    unseen,
    fixed,
  };
}

/** A block for each finding; the last line counts. */
export function doctorText({ findings, unseen, fixed }: DoctorDocument, paint: Painter = plain): string {
  const blocks = findings.map(({ severity, code, detail, impact, remedy, page }) =>
    [
      `${paint(COLOURS[severity], `${severity.padEnd(LABEL)} ${code}`)}: ${detail}`,
      row('impact', impact),
      ...remedy.map((each, index) => row(index === 0 ? 'remedy' : '', remedyText(each))),
      row('about', page),
    ].join('\n'),
  );
  const lines = [
    ...fixed.map(({ code, run, error }) =>
      error === undefined
        ? `${paint('green', 'fixed')} ${code}: ${run}`
        : `${paint('red', 'not fixed')} ${code}: ${run}: ${error}`,
    ),
    ...blocks.flatMap((block) => [block, '']),
    ...unseen.map(({ what, why }) => `not seen: ${what}: ${why}`),
    findings.length === 0 ? paint('green', SOUND) : summary(findings),
  ];
  return `${lines.join('\n')}\n`;
}

const LABEL = 7;
const COLOURS: Readonly<Record<Severity, Colour>> = { error: 'red', warning: 'yellow' };
const SOUND = 'Nothing is wrong, as far as can be seen';

function row(label: string, text: string): string {
  return `  ${label.padEnd(LABEL)} ${text}`;
}

/** A command stands alone on its line, so that it can be copied. */
function remedyText(remedy: Remedy): string {
  if ('advice' in remedy) return `# ${remedy.advice}`;
  return remedy.on === undefined ? remedy.run : `${remedy.run}  # on ${remedy.on}`;
}

function summary(findings: DoctorDocument['findings']): string {
  const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  return `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
}
