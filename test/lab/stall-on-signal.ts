/** Loaded into a daemon beside its own code (NODE_OPTIONS=--import=...): SIGUSR2 keeps its main thread busy, for STALL_MS each time. */
const stallMs = Number(process.env.STALL_MS);

process.on('SIGUSR2', () => {
  const end = performance.now() + stallMs;
  while (performance.now() < end);
});
