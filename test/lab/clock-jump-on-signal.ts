/** Loaded into a daemon beside its own code (NODE_OPTIONS=--import=...): SIGUSR2 puts its wall clock on by JUMP_MS, and the next one back. */
const jumpMs = Number(process.env.JUMP_MS);
const trueNow = Date.now;
let offsetMs = 0;

const jumped = () => trueNow() + offsetMs;
Date.now = jumped;
globalThis.Date = new Proxy(Date, {
  construct: (target, parameters, newTarget) =>
    Reflect.construct(target, parameters.length === 0 ? [jumped()] : parameters, newTarget),
});

process.on('SIGUSR2', () => {
  offsetMs = offsetMs === 0 ? jumpMs : 0;
});
