/** Who listens is told from a beginning on, whoever else listens, and never after it has stopped. */
import { expect, test } from 'vitest';
import { EMPTY } from '../../../src/lock/state.ts';
import { Listeners } from '../../../src/mesh/listeners.ts';
import type { Peer } from '../../../src/peer/peer.ts';
import type { News } from '../../../src/peer/told.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import { Home } from '../peer/home.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The news with that number; `begins` if a watch begins with it. */
function news(scope: string, version: number, begins = false): News {
  return { scope, ballot: NO_BALLOT, version, facts: [], compared: false, begins: begins ? EMPTY : null };
}

/** A peer of its own, which is told what to watch and to leave. */
function desk() {
  const { peer } = new Home();
  const asked: string[] = [];
  const { watch, unwatch } = peer;
  peer.watch = (now, scope) => {
    asked.push(`watch ${scope}`);
    watch.call(peer, now, scope);
  };
  peer.unwatch = (scope) => {
    asked.push(`unwatch ${scope}`);
    unwatch.call(peer, scope);
  };
  const listeners = new Listeners((input) => input());
  const ear = (scope: string) => {
    const heard: (number | string)[] = [];
    const stop = listeners.add(scope, (one) =>
      heard.push(one === null ? 'over' : one.begins === null ? one.version : `begins ${one.version}`),
    );
    return { heard, stop };
  };
  return { peer, asked, listeners, ear };
}

test('a listener hears its scope, from a beginning on, until it stops', () => {
  const { peer, listeners, ear, asked } = desk();
  listeners.enter(peer, true);
  const { heard, stop } = ear('s');
  listeners.tell([news('s', 0), news('s', 1, true), news('s', 2), news('t', 3), news('s', 4)]);
  expect(heard).toEqual(['begins 1', 2, 4]);
  stop();
  stop();
  listeners.tell([news('s', 5)]);
  expect([heard, asked]).toEqual([
    ['begins 1', 2, 4],
    ['watch s', 'unwatch s'],
  ]);
});

test('one that comes later has a beginning of its own, which the others do not hear', () => {
  const { peer, listeners, ear, asked } = desk();
  listeners.enter(peer, true);
  const first = ear('s');
  listeners.tell([news('s', 1, true)]);
  const second = ear('s');
  listeners.tell([news('s', 2), news('s', 2, true), news('s', 3)]);
  expect([first.heard, second.heard]).toEqual([
    ['begins 1', 2, 3],
    ['begins 2', 3],
  ]);
  first.stop();
  expect(asked).toEqual(['watch s', 'watch s']);
  second.stop();
  expect(asked).toEqual(['watch s', 'watch s', 'unwatch s']);
});

test('who listens before there is a peer hears the first one, and begins anew with the next', () => {
  const { peer, listeners, ear, asked } = desk();
  const { heard } = ear('s');
  expect(asked).toEqual([]);
  listeners.enter(peer, true);
  listeners.tell([news('s', 1, true), news('s', 2)]);
  const other = desk();
  listeners.enter(other.peer, true);
  listeners.tell([news('s', 3), news('s', 4, true), news('s', 5)]);
  expect([heard, asked, other.asked]).toEqual([['begins 1', 2, 'begins 4', 5], ['watch s'], ['watch s']]);
});

test('one that stops while it is told hears no more', () => {
  const { peer, listeners } = desk();
  listeners.enter(peer, true);
  const heard: number[] = [];
  const stop = listeners.add('s', (one) => {
    heard.push(one!.version);
    stop();
  });
  listeners.tell([news('s', 1, true), news('s', 2)]);
  expect(heard).toEqual([1]);
});

test.each<[string, (listeners: Listeners, peer: Peer) => void]>([
  ['the peer does not vote any more', (listeners, peer) => listeners.enter(peer, false)],
  ['the peer stops', (listeners) => listeners.end()],
])('when %s, all are told that it is over, and who comes later too', async (_, end) => {
  const { peer, listeners, ear } = desk();
  listeners.enter(peer, true);
  const first = ear('s');
  const second = ear('t');
  end(listeners, peer);
  expect([first.heard, second.heard]).toEqual([[], []]);
  second.stop();
  const late = ear('s');
  expect(late.heard).toEqual([]);
  await turn();
  expect([first.heard, second.heard, late.heard]).toEqual([['over'], [], ['over']]);
});
