import { expect, test } from 'bun:test'
import { Admission } from '../../src/media/admission.ts'

const make = (limit: number) => {
  const state = { live: 0, draining: false, delayMs: 0 }
  const admission = new Admission({
    limit,
    live: () => state.live,
    draining: () => state.draining,
    delayMs: () => state.delayMs,
  })
  return { state, admission }
}

test('calls that are on their way count like live ones, until their stream is here', () => {
  const { state, admission } = make(2)
  expect(admission.admit('CA1', 0)).toBe(true)
  expect(admission.admit('CA2', 0)).toBe(true)
  expect(admission.admit('CA3', 0)).toBe(false)
  expect(admission.useToken('n1', 'CA1', 100)).toBe(true)
  state.live = 1
  expect(admission.admit('CA3', 100)).toBe(false)
  state.live = 0
  expect(admission.admit('CA3', 200)).toBe(true)
})

test('the same call asked about again counts once', () => {
  const { admission } = make(1)
  for (let time = 0; time < 3; time += 1) expect(admission.admit('CA1', time)).toBe(true)
  expect(admission.admit('CA2', 3)).toBe(false)
})

test('a call that never arrives gives its place back', () => {
  const { admission } = make(1)
  expect(admission.admit('CA1', 0)).toBe(true)
  expect(admission.admit('CA2', 9_999)).toBe(false)
  expect(admission.admit('CA2', 10_001)).toBe(true)
})

test('no call fits where there is no room, and none into a server that stops', () => {
  expect(make(0).admission.admit('CA1', 0)).toBe(false)
  const { state, admission } = make(10)
  state.draining = true
  expect(admission.admit('CA1', 0)).toBe(false)
})

test('a token opens one stream; after a minute and a half it is too old for any', () => {
  const { admission } = make(1)
  expect(admission.useToken('n1', 'CA1', 0)).toBe(true)
  expect(admission.useToken('n1', 'CA1', 1)).toBe(false)
  expect(admission.useToken('n1', 'CA1', 89_000)).toBe(false)
  expect(admission.useToken('n2', 'CA1', 89_000)).toBe(true)
})

test('a server that is late takes no further call, unless it has hardly any', () => {
  const { state, admission } = make(100)
  state.live = 20
  state.delayMs = 50
  expect(admission.admit('CA1', 0)).toBe(true)
  state.delayMs = 80
  expect(admission.admit('CA2', 0)).toBe(false)
  // It was answered already: a repeated request of the carrier gets the same answer.
  expect(admission.admit('CA1', 0)).toBe(true)
  state.live = 5
  expect(admission.admit('CA2', 0)).toBe(true)
})
