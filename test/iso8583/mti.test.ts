import { describe, expect, it } from 'vitest';
import {
  asksForApproval,
  classOf,
  isAdvice,
  isNewRequest,
  isRepeat,
  isReply,
  MessageClass,
  mtiName,
  mtiText,
  replyMti,
} from '#src/iso8583/mti.js';

describe('message types', () => {
  it.each<[number, number, string]>([
    [100, 110, 'authorization request'],
    [101, 110, 'authorization request, repeat'],
    [120, 130, 'authorization advice'],
    [121, 130, 'authorization advice, repeat'],
    [200, 210, 'financial request'],
    [201, 210, 'financial request, repeat'],
    [220, 230, 'financial advice'],
    [221, 230, 'financial advice, repeat'],
    [302, 312, 'file action request'],
    [303, 312, 'file action request, repeat'],
    [400, 410, 'reversal request'],
    [401, 410, 'reversal request, repeat'],
    [420, 430, 'reversal advice'],
    [421, 430, 'reversal advice, repeat'],
    [500, 510, 'reconciliation request'],
    [520, 530, 'reconciliation advice'],
    [600, 610, 'administrative request'],
    [800, 810, 'network management request'],
    [801, 810, 'network management request, repeat'],
    [820, 830, 'network management advice'],
    [110, -1, 'authorization response'],
    [130, -1, 'authorization advice response'],
    [810, -1, 'network management response'],
    [140, -1, 'authorization notification'],
    [150, -1, 'authorization acknowledgement'],
    [106, -1, 'authorization request'],
    [160, -1, 'unknown message'],
    [0, -1, 'unknown message'],
    [99, -1, 'unknown message'],
    [900, -1, 'unknown message'],
    [1100, -1, 'unknown message'],
    [9999, -1, 'unknown message'],
  ])('%i is answered with %i: %s', (mti, reply, name) => {
    expect([replyMti(mti), mtiName(mti)]).toEqual([reply, name]);
  });

  it('never answers a reply', () => {
    for (let mti = 0; mti <= 9999; mti++) {
      const reply = replyMti(mti);
      if (isReply(mti)) expect(reply).toBe(-1);
      if (reply >= 0) {
        expect([isReply(reply), isReply(mti), replyMti(reply)]).toEqual([true, false, -1]);
        expect(classOf(reply)).toBe(classOf(mti));
        expect(isRepeat(reply)).toBe(false);
      }
    }
  });

  it('knows class, repeat and advice', () => {
    expect([classOf(100), classOf(421), classOf(800), classOf(1100), classOf(0)]).toEqual([1, 4, 8, -1, -1]);
    expect(classOf(302)).toBe(MessageClass.fileAction);
    expect([isRepeat(101), isRepeat(100), isRepeat(107)]).toEqual([true, false, false]);
    expect([isAdvice(120), isAdvice(421), isAdvice(100), isAdvice(130)]).toEqual([true, true, false, false]);
    expect(mtiText(100)).toBe('0100');
  });

  it('knows who waits for an approval, and which of them begins something', () => {
    const asked = [100, 101, 200, 201, 120, 121, 220, 221, 302, 303, 400, 401, 420, 421, 500, 501];
    expect(asked.filter(asksForApproval)).toEqual([100, 101, 200, 201]);
    expect(asked.filter(isNewRequest)).toEqual([100, 200, 500]);
  });
});
