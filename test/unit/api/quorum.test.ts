/** What is answered when voters are missing, or their answers are. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type House, house, type Json, mesh } from './harness.ts';

let at: House;
beforeEach(async () => {
  at = await house();
});

async function act(action: string): Promise<Json & { http: number }> {
  const { status: http, json } = await at.lock({ scope: 'db', action });
  return { ...json, http };
}

describe('without a quorum', () => {
  test('nothing happened, and the missing voters are named', async () => {
    const [peer] = mesh(3, () => false);
    peer!.liveness(1, false);
    peer!.liveness(2, false);
    at = await house({ peer: peer! });
    const { status: code, json, headers } = await at.lock({ scope: 'db', action: 'lock' });
    expect(code).toBe(503);
    expect(headers['retry-after']).toBe('1');
    expect(json).toMatchObject({
      code: 'no_quorum',
      certainty: 'definite',
      missing: ['p2', 'p3'],
      scope: 'db',
    });
    expect(json.detail).toMatch(/p2, p3.*Nothing happened/);
  });

  test('a mesh that forms says who is missing', async () => {
    at.peer.standing = { kind: 'forming', missing: ['p2', 'p3'] };
    expect(await act('lock')).toMatchObject({ status: 503, code: 'no_quorum', missing: ['p2', 'p3'] });
    expect(await act('status')).toMatchObject({ detail: expect.stringContaining('still forming') });
  });

  test('a refused peer forwards', async () => {
    at.peer.standing = { kind: 'refused', reason: 'wiped', mend: 'quorate roster replace p1' };
    expect(await act('lock')).toMatchObject({ http: 200, status: 'locked' });
  });

  test('a refused peer that knows nobody says why it is of no use', async () => {
    const [peer] = mesh(3, () => false);
    peer!.liveness(1, false);
    peer!.liveness(2, false);
    peer!.standing = { kind: 'refused', reason: 'p1 was wiped.', mend: 'quorate roster replace p1' };
    at = await house({ peer: peer! });
    expect(await act('lock')).toMatchObject({
      code: 'no_quorum',
      detail: expect.stringMatching(
        /could not forward.*p1 was wiped\. To mend it: quorate roster replace p1/,
      ),
    });
  });

  test('an accept that left may have happened', async () => {
    const [peer] = mesh(3, (_from, _to, { kind }) => kind !== 'accepted');
    at = await house({ peer: peer!, requestMs: 600 });
    const answer = await act('lock');
    expect(answer).toMatchObject({ status: 503, code: 'outcome_unknown', certainty: 'indefinite' });
    expect(answer.next).toContain('same lock_id');
  });

  test('a mesh of three counts votes out of three', async () => {
    const [peer] = mesh(3);
    at = await house({ peer: peer! });
    expect(await act('lock')).toMatchObject({
      http: 200,
      quorum: expect.stringMatching(/^[23]\/3 nodes agreed$/),
    });
    expect(await act('status')).toMatchObject({ quorum: expect.stringMatching(/^[23]\/3 nodes agreed$/) });
    expect(await act('unlock')).toMatchObject({ quorum: expect.stringMatching(/^[23]\/3 nodes agreed$/) });
  });
});
