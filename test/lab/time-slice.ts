/** How long the threads of a process may run at a time, as a kernel with CONFIG_SCHED_DEBUG tells from Linux 6.12 on. */
type Output = (argv: readonly string[]) => Promise<string>;

/** Milliseconds, of each thread of the process. */
export async function slicesOf(pid: number | string, output: Output): Promise<readonly number[]> {
  const text = await output(['sh', '-c', `cat /proc/${pid}/task/*/sched`]);
  const slices = [...text.matchAll(/^se\.slice\s*:\s*(\d+)$/gm)].map(([, ns]) => Number(ns) / 1e6);
  if (slices.length === 0) throw new Error(`The kernel does not tell the slices of process ${pid}`);
  return slices;
}
