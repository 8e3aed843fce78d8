import assert from 'node:assert/strict';
import test from 'node:test';
import { screenPainter } from '../../../src/sys/colour.js';

const GREEN = '\x1b[32mready\x1b[39m';

/** Which colours a terminal has is Node's to know, by TERM. */
const hasColors = (environment?: object | number) => Object(environment).TERM === 'xterm-256color';
const TERMINAL = { isTTY: true, hasColors } as const;
const PIPE = { isTTY: false } as const;

const painted = (screen: Parameters<typeof screenPainter>[0], environment: Record<string, string>) =>
  screenPainter(screen, { TERM: 'xterm-256color', ...environment })('green', 'ready');

test('a terminal that has colours gets them', () => {
  assert.equal(painted(TERMINAL, {}), GREEN);
  assert.equal(painted(TERMINAL, { TERM: 'dumb' }), 'ready');
  assert.equal(painted(PIPE, {}), 'ready');
});

test('NO_COLOR takes them away, whatever it says, and counts for nothing while it is empty', () => {
  assert.equal(painted(TERMINAL, { NO_COLOR: '1' }), 'ready');
  assert.equal(painted(TERMINAL, { NO_COLOR: '0' }), 'ready');
  assert.equal(painted(TERMINAL, { NO_COLOR: '' }), GREEN);
});

test('FORCE_COLOR brings them into a pipe, and does not outdo NO_COLOR', () => {
  assert.equal(painted(PIPE, { FORCE_COLOR: '1' }), GREEN);
  assert.equal(painted(PIPE, { FORCE_COLOR: '' }), 'ready');
  assert.equal(painted(TERMINAL, { FORCE_COLOR: '0' }), 'ready');
  assert.equal(painted(PIPE, { FORCE_COLOR: '1', NO_COLOR: '1' }), 'ready');
});
