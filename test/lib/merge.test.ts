import { expect, test } from 'bun:test'
import { isSame, mergeChanges } from '../../src/lib/merge.ts'

test('what only one side changed counts; what both changed stays mine and is named', () => {
  const base = { a: 1, b: 1, c: { d: 1, e: [1] }, gone: 1, both: 1 }
  const mine = { a: 2, b: 1, c: { d: 1, e: [1, 2] }, gone: 1, both: 2, mineOnly: 1 }
  const theirs = { a: 1, b: 3, c: { d: 4, e: [1, 3] }, both: 2, theirsOnly: 1 }
  expect(mergeChanges<object>(base, mine, theirs)).toEqual({
    merged: { a: 2, b: 3, c: { d: 4, e: [1, 2] }, both: 2, mineOnly: 1, theirsOnly: 1 },
    overlaps: ['c.e'],
  })
  expect(mergeChanges<object>(base, mine, base)).toEqual({ merged: mine, overlaps: [] })
  expect(mergeChanges<object>(base, base, theirs)).toEqual({ merged: theirs, overlaps: [] })
})

test('a field that one removed and the other changed is an overlap; a field that is undefined is absent', () => {
  expect(mergeChanges<object>({ a: 1 }, {}, { a: 2 })).toEqual({ merged: {}, overlaps: ['a'] })
  expect(isSame({ a: undefined, b: [null] }, { b: [null] })).toBe(true)
  for (const [a, b] of [
    [{ a: 1 }, { a: 2 }],
    [[1], [1, 2]],
    [null, {}],
    [[], {}],
  ])
    expect(isSame(a, b)).toBe(false)
})
