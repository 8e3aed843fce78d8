import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Command, runProgram } from '../../../src/sys/run-program.js';
import { eventually } from '../../lab/eventually.js';

const { signal } = new AbortController();

function shell(script: string, change: Partial<Command> = {}): Command {
  return { program: 'sh', args: ['-c', script], deadlineMs: 10_000, ...change };
}

describe('runProgram', () => {
  it('keeps both outputs and any exit code', async () => {
    const output = await runProgram(shell('echo out; echo err >&2; exit 3'), signal);
    assert.deepEqual(output, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  it('feeds the standard input, which is empty when nothing is given', async () => {
    assert.equal((await runProgram(shell('cat', { input: 'fed' }), signal)).stdout, 'fed');
    assert.equal((await runProgram(shell('cat'), signal)).stdout, '');
  });

  it('does not mind a program that leaves its input unread', async () => {
    const input = 'x'.repeat(1024 * 1024);
    assert.equal((await runProgram(shell('exit 4', { input }), signal)).code, 4);
  });

  it('gives large outputs whole', async () => {
    const { stdout } = await runProgram(shell('head -c 3000000 /dev/zero | tr "\\0" x'), signal);
    assert.equal(stdout.length, 3_000_000);
  });

  it('speaks English and finds programs of the system', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/usr/bin';
    try {
      const { stdout } = await runProgram(shell('echo $LC_ALL $PATH'), signal);
      assert.match(stdout, /^C \/usr\/bin:.*\/usr\/sbin/);
    } finally {
      process.env.PATH = path;
    }
  });

  it('names a program that is not installed', async () => {
    await assert.rejects(runProgram({ program: 'no-such-program', args: [], deadlineMs: 1000 }, signal), {
      name: 'SystemError',
      code: 'ENOENT',
      message: 'Cannot run "no-such-program": it is not installed (ENOENT)',
    });
  });

  it('kills a program that misses its deadline', async () => {
    await assert.rejects(runProgram(shell('exec sleep 60', { deadlineMs: 50 }), signal), {
      code: 'ETIMEDOUT',
      message: 'Cannot wait for "sh": not done after 50 ms',
    });
  });

  it('does not wait for what a program leaves in the background', async () => {
    const output = await runProgram(shell('echo up; sleep 60 & echo $!'), signal);
    const [up, pid] = output.stdout.split('\n');
    assert.equal(up, 'up');
    process.kill(Number(pid), 'SIGKILL'); // Throws unless it runs still.
  });

  it('kills what the program has started too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'run-program-'));
    try {
      const script = `sleep 60 & echo $! > ${directory}/pid; wait`;
      await assert.rejects(runProgram(shell(script, { deadlineMs: 500 }), signal), { code: 'ETIMEDOUT' });
      const pid = (await readFile(`${directory}/pid`, 'utf8')).trim();
      const state = async () =>
        (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')).split(' ')[2];
      await eventually('it has ended', 5000, async () => assert.ok([undefined, 'Z'].includes(await state())));
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('kills the program on abort, and rejects with the reason', async () => {
    const children = () => process.getActiveResourcesInfo().filter((what) => what === 'ProcessWrap').length;
    const noChild = () => eventually('no child is left', 5000, () => assert.equal(children(), 0));
    await noChild();
    const stop = new AbortController();
    const reason = new Error('stop');
    const running = runProgram(shell('exec sleep 60'), stop.signal);
    assert.equal(children(), 1);
    stop.abort(reason);
    await assert.rejects(running, reason);
    await noChild();
  });

  it('starts nothing when it is aborted already', async () => {
    const reason = new Error('stop');
    await assert.rejects(async () => runProgram(shell('exit 0'), AbortSignal.abort(reason)), reason);
  });

  it('says so when somebody kills the program', async () => {
    await assert.rejects(runProgram(shell('kill -KILL $$'), signal), {
      code: 'EINTR',
      message: 'Cannot run "sh": ended by SIGKILL',
    });
  });
});
