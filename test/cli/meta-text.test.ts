import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { parseBytes, parseTxn, showBytes } from '../../src/cli/meta-text.js';
import { prefixRange, textKey } from '../../src/meta/keys.js';
import { seededRandom, testSeed } from '../support/random.js';

describe('bytes as text', () => {
  it.each([
    ['plain/ä 日', 'plain/ä 日'],
    ['', ''],
    ['a\tb', 'base64:YQli'],
    ['\u{202e}x', 'base64:4oCueA=='],
    ['base64:YQ==', 'base64:YmFzZTY0OllRPT0='],
    ['\u{feff}x', '\u{feff}x'],
  ])('%j', (text, shown) => {
    expect(showBytes(textKey(text))).toBe(shown);
  });

  it('lead back to the same bytes', () => {
    const random = seededRandom(testSeed('bytes as text'));
    for (let i = 0; i < 500; i++) {
      const bytes = random.bytes(random.below(6)).map((byte) => (random.chance(0.7) ? byte & 0x7f : byte));
      expect([...parseBytes(showBytes(bytes))]).toEqual([...bytes]);
    }
  });
});

describe('a transaction as JSON', () => {
  it('has compares and branches', () => {
    const json = {
      compares: [
        { key: 'a', target: 'version', value: 0 },
        { key: 'b', target: 'value', is: '!=', value: 'base64:AA==' },
        { key: 'c', target: 'create_revision', is: '>', value: 3 },
      ],
      success: [
        { kind: 'put', key: 'a', value: 'x' },
        { kind: 'delete', prefix: 'p/' },
        { kind: 'range', start: 'a', end: 'b', limit: 2, after: 'aa', keys_only: true },
      ],
      failure: [{ kind: 'delete', key: 'z' }],
    };
    const a = textKey('a');
    expect(parseTxn(JSON.stringify(json))).toEqual({
      compares: [
        { key: a, target: 'version', is: '=', value: 0 },
        { key: textKey('b'), target: 'value', is: '!=', value: Uint8Array.of(0) },
        { key: textKey('c'), target: 'createRevision', is: '>', value: 3 },
      ],
      success: [
        { kind: 'put', key: a, value: textKey('x') },
        { kind: 'delete', range: prefixRange(textKey('p/')) },
        { kind: 'range', range: { start: a, end: textKey('b') }, limit: 2, after: textKey('aa'), keysOnly: true },
      ],
      failure: [{ kind: 'delete', range: { start: textKey('z') } }],
    });
    expect(parseTxn('{}')).toEqual({ compares: [], success: [], failure: [] });
  });

  it.each([
    'nonsense',
    '[]',
    '{"success": {}}',
    '{"success": [{"kind": "grow"}]}',
    '{"success": [{"kind": "put", "key": "a"}]}',
    '{"success": [{"kind": "put", "key": "base64:?", "value": ""}]}',
    '{"success": [{"kind": "delete", "start": "a"}]}',
    '{"compares": [{"key": "a", "target": "size", "value": 1}]}',
    '{"compares": [{"key": "a", "target": "version", "is": "<=", "value": 1}]}',
    '{"compares": [{"key": "a", "target": "version", "value": "1"}]}',
  ])('refuses %s', (text) => {
    let code: string | undefined;
    try {
      parseTxn(text);
    } catch (error) {
      code = errorCode(error);
    }
    expect(code).toBe('invalid_argument');
  });
});
