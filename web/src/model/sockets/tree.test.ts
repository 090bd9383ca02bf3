import { describe, expect, it } from 'vitest';
import { socket } from '../fixtures';
import { branches, label } from './tree';

const listener = socket({ id: 's1', role: 'listener', state: 'listening', target: 'tcp-listen://:9' });
const child = socket({ id: 's3', role: 'accepted', parent: 's1', remote: 'c:1' });
const gone = socket({ id: 's4', role: 'accepted', parent: 's1', state: 'closed' });
const orphan = socket({ id: 's5', role: 'accepted', parent: 's99' });
const peer = socket({ id: 's6', practice: 'echo' });
const client = socket({ id: 's2', name: 'mine' });

const all = new Map([listener, client, child, gone, orphan, peer].map((one) => [one.id, one]));

describe('branches', () => {
  it('lists what a listener accepted below it', () => {
    expect(branches(all, false).map(({ socket: { id }, depth, children, alive }) => [id, depth, children, alive])).toEqual([
      ['s1', 0, 2, 1],
      ['s3', 1, 0, 0],
      ['s4', 1, 0, 0],
      ['s2', 0, 0, 0],
      ['s5', 0, 0, 0],
    ]);
  });

  it('lists practice peers’ own sockets only if asked for', () => {
    expect(branches(all, true).map((line) => line.socket.id)).toContain('s6');
  });
});

describe('label', () => {
  it('is the name, the peer, or the target', () => {
    expect([label(client), label(child), label(listener)]).toEqual(['mine', 'c:1', 'tcp-listen://:9']);
  });
});
