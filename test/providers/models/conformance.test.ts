import { afterAll, beforeEach, expect, test } from 'bun:test'
import { createOpenAiModel } from '../../../src/providers/models/openai.ts'
import { restPlan } from '../../../src/sandbox/openai/rest.ts'
import { OPENAI_KEY, startTestOpenAi } from '../../support/realtime.ts'

const sandbox = startTestOpenAi({ steps: [] })
const baseUrl = `http://127.0.0.1:${sandbox.port}/v1`
const model = createOpenAiModel({ baseUrl, apiKey: OPENAI_KEY, model: 'gpt-test' })
const question = { system: 'Answer in JSON: {"name": …, "sentiment": …}', user: 'Caller: My name is Dana Levi.' }
afterAll(() => sandbox.close())
beforeEach(() => {
  sandbox.rest = restPlan.parse({})
})

const failureOf = (work: Promise<unknown>) => work.then(() => null).catch((error: unknown) => error)

test('the answer is the parsed JSON of the completion', async () => {
  expect(await model.askForJson(question)).toMatchObject({ name: 'Dana Levi' })
  sandbox.rest = restPlan.parse({ completions: ['{"a":[1,null]}'] })
  expect(await model.askForJson(question)).toEqual({ a: [1, null] })
})

test('a completion that is not JSON is garbled', async () => {
  sandbox.rest = restPlan.parse({ completions: ['Certainly! {'] })
  expect(await failureOf(model.askForJson(question))).toMatchObject({ kind: 'unavailable', code: 'model_garbled' })
})

test('an error status is a refusal, and the next request is answered again', async () => {
  sandbox.rest = restPlan.parse({ failures: [429, 500] })
  for (let i = 0; i < 2; i += 1)
    expect(await failureOf(model.askForJson(question))).toMatchObject({ kind: 'unavailable', code: 'model_refused' })
  expect(await model.askForJson(question)).toMatchObject({ name: 'Dana Levi' })
})

test('the check accepts the right key only, and reports a missing server', async () => {
  await model.check()
  const wrong = createOpenAiModel({ baseUrl, apiKey: 'sk-wrong', model: 'gpt-test' })
  expect(await failureOf(wrong.check())).toMatchObject({ kind: 'unavailable', code: 'model_refused' })
  const missing = createOpenAiModel({ baseUrl: 'http://127.0.0.1:9/v1', apiKey: OPENAI_KEY, model: 'gpt-test' })
  expect(await failureOf(missing.check())).toMatchObject({ kind: 'unavailable', code: 'model_unreachable' })
  expect(await failureOf(missing.askForJson(question))).toMatchObject({ code: 'model_unreachable' })
})
