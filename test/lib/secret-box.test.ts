import { expect, test } from 'bun:test'
import { createSecretBox } from '../../src/lib/secret-box.ts'

const key = new Uint8Array(32).fill(7)

test('what was sealed opens with the same key in the same place only', () => {
  const box = createSecretBox(key)
  const sealed = box.seal('סוד', 'row-1')
  expect(sealed).not.toInclude('סוד')
  expect(box.open(sealed, 'row-1')).toBe('סוד')
  expect(box.seal('סוד', 'row-1')).not.toBe(sealed)
  expect(() => box.open(sealed, 'row-2')).toThrow('cannot be decrypted')
  expect(() => createSecretBox(new Uint8Array(32)).open(sealed, 'row-1')).toThrow('cannot be decrypted')
})

test('changed, foreign, and cut texts are refused, and so is a key of the wrong length', () => {
  const box = createSecretBox(key)
  const sealed = box.seal('secret', 'row-1')
  // Not the last character: its low bits may be padding that decodes to the same bytes.
  const at = sealed.length - 6
  const flipped = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
  for (const text of [flipped, sealed.slice(0, 20), sealed.slice(3), 'v1.', ''])
    expect(() => box.open(text, 'row-1')).toThrow('cannot be decrypted')
  expect(() => createSecretBox(key.subarray(1))).toThrow('31 bytes')
})
