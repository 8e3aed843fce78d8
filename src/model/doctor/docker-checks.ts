/** What `doctor` looks for at Docker's bridge and in Docker's rules. */
import { lengthOf } from '../address.js';
import type { DoctorFacts } from './facts.js';
import { type Finding, shellWord } from './finding.js';

export function dockerFindings({ docker }: DoctorFacts): readonly Finding[] {
  if (docker === undefined) return [];
  const { want, found } = docker;
  const { bridge, subnet, mtu, devices } = want;
  const address = `${want.address}/${lengthOf(subnet)}`;
  const differences = [
    ...(found.addresses.includes(address)
      ? []
      : [`has ${found.addresses.join(' and ') || 'no address'}, the lease says ${address}`]),
    ...(found.mtu === undefined || found.mtu === mtu ? [] : [`has MTU ${found.mtu}, the network has ${mtu}`]),
  ];
  const findings: Finding[] = [];
  if (differences.length > 0) {
    const detail = `${bridge} ${differences.join('; ')}`;
    findings.push({ code: 'DockerOutOfStep', detail, remedy: [{ run: 'systemctl restart docker' }] });
  }
  if ('unreadable' in found.firewall) return findings;
  const { masquerades, drops } = found.firewall;
  // Which subnet Docker masquerades says nothing while it has another one.
  if (masquerades && !want.masquerade && differences.length === 0) {
    const rule = `-s ${subnet} ! -o ${shellWord(bridge)} -j MASQUERADE`;
    findings.push({
      code: 'MasqueradedTwice',
      detail: `docker masquerades ${subnet}, and so does this host (network.ipMasq)`,
      remedy: [{ run: `iptables -t nat -D POSTROUTING ${rule}` }],
    });
  }
  const [drop] = drops;
  if (drop !== undefined) {
    const isBeforeRouting = drops.some(({ at }) => at === 'prerouting');
    const remedy = [
      ...(isBeforeRouting
        ? devices.map((device) => ({
            run: `iptables -t raw -I PREROUTING -i ${shellWord(device)} -d ${subnet} -j ACCEPT`,
          }))
        : []),
      ...(drops.some(({ at }) => at === 'forward')
        ? [{ run: `iptables -I DOCKER-USER -d ${subnet} -j ACCEPT` }]
        : []),
    ];
    const isIptables = drops.every(({ by }) => by === 'iptables');
    findings.push({
      code: 'DockerFirewall',
      detail: `packets of other hosts are dropped by ${drop.rule}`,
      remedy: isIptables
        ? remedy
        : [{ advice: 'start docker with --allow-direct-routing; see docs/docker.md' }],
    });
  }
  return findings;
}
