/** `doctor`: what is wrong on this host and between it and the others, and how to mend it. */
import type { Config } from '../../model/config.js';
import { diagnose } from '../../model/doctor/diagnose.js';
import type { DoctorFacts } from '../../model/doctor/facts.js';
import type { Finding } from '../../model/doctor/finding.js';
import { statusAt } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { HostTools } from '../host-tools.js';
import { type Format, formatted } from '../output.js';
import { whileShown } from '../progress.js';
import { doctorDocument, doctorText, type FixedFinding } from '../render-doctor.js';
import type { CommandContext } from '../session.js';

export interface DoctorOptions {
  readonly format: Format;
  /** Carries out the remedies that change nothing but a setting that has to be so, and looks again. */
  readonly fix: boolean;
}

export async function doctor(
  context: CommandContext,
  path: string,
  { format, fix }: DoctorOptions,
): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const tools = await context.tools();
  const lookAround = () => whileShown(context, 'Looking around', () => look(context, tools, path, config));
  let facts = await lookAround();
  let findings = diagnose(facts);
  const fixed = fix ? await mend(tools, findings) : [];
  if (fixed.length > 0) {
    facts = await lookAround();
    findings = diagnose(facts);
  }
  const document = doctorDocument(findings, facts.unseen, fixed);
  context.out(formatted(format, document, (shown) => doctorText(shown, context.paint)));
  return findings.length === 0 ? EXIT.done : EXIT.ailing;
}

async function look(
  context: CommandContext,
  tools: HostTools,
  path: string,
  config: Config,
): Promise<DoctorFacts> {
  // One that is stopped, or closed to us, is none that could tell anything.
  const daemon = await statusAt(context, socketPath(config.instance)).catch(() => undefined);
  context.signal.throwIfAborted();
  return tools.doctorFacts(path, config, daemon && { pid: daemon.pid });
}

async function mend(tools: HostTools, findings: readonly Finding[]): Promise<readonly FixedFinding[]> {
  const fixed: FixedFinding[] = [];
  for (const { code, remedy } of findings.filter(({ isSafe }) => isSafe)) {
    for (const step of remedy) {
      if (!('run' in step) || step.on !== undefined) continue;
      const { code: exitCode, stderr } = await tools.shell(step.run);
      const error = exitCode === 0 ? undefined : stderr.trim() || `ended with ${exitCode}`;
      fixed.push({ code, run: step.run, ...(error !== undefined && { error }) });
    }
  }
  return fixed;
}
