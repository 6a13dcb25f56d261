import { expect, test } from 'bun:test'
import { messages as en } from '../../src/console/messages/en/index.ts'
import { messages as he } from '../../src/console/messages/he/index.ts'
import { callEndReasons } from '../../src/domain/calls/end-reasons.ts'

test.each([
  ['he', he],
  ['en', en],
] as const)('every way a call can end has words in %s', (_, messages) => {
  expect(Object.keys(messages.call.ends).sort()).toEqual([...callEndReasons].sort())
})
