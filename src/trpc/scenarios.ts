import { z } from 'zod'
import { pageInput } from '../domain/paging.ts'
import {
  listScenarioRuns,
  listScenarios,
  removeScenario,
  runScenarios,
  saveScenario,
  scenarioRunView,
  scenarioSource,
  scenarioView,
  setScenariosRequired,
} from '../domain/scenarios/index.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example' | 'status'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Receptionist', summary, ...more }
  return { openapi }
}

const EXAMPLE = `name: opening-hours
channels: [chat]
given: {}
script:
  - send: When are you open?
    expect: {replies: 1, amounts: backed}
`

/** Conversations that a business's receptionist has to pass. */
export const scenariosRouter = router({
  list: businessProcedure
    .meta(route('GET', '/scenarios', 'List the scenarios that the receptionist has to pass'))
    .output(pageOf(scenarioView))
    .query(async ({ ctx }) => onePage(await listScenarios(ctx.business))),
  save: businessProcedure
    .meta(
      route('POST', '/scenarios', 'Save a scenario', {
        description: 'As YAML; one of the same name is replaced. It is played in the test chat of this business.',
        example: { source: EXAMPLE },
        status: 201,
      }),
    )
    .input(scenarioSource)
    .output(byId)
    .mutation(async ({ ctx, input }) => ({ id: await saveScenario(ctx.business, input) })),
  remove: businessProcedure
    .meta(route('DELETE', '/scenarios/{id}', 'Delete a scenario'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeScenario(ctx.business, input.id)
      return OK
    }),
  require: businessProcedure
    .meta(
      route('PUT', '/scenarios/requirement', 'Set whether new versions wait for the scenarios', {
        description: 'Then a draft is published when its scenarios have passed; an owner can publish it anyway.',
        example: { required: true },
      }),
    )
    .input(z.object({ required: z.boolean() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await setScenariosRequired(ctx.business, input.required)
      return OK
    }),
  run: businessProcedure
    .meta(
      route('POST', '/scenario-runs', 'Play the scenarios', {
        description: 'A worker plays them with the draft, or with the version in force. Nothing that they do is kept.',
        example: { draft: false },
        status: 201,
      }),
    )
    .input(z.object({ draft: z.boolean().default(true) }).prefault({}))
    .output(byId)
    .mutation(({ ctx, input }) => runScenarios(ctx.business, input)),
  runs: businessProcedure
    .meta(
      route('GET', '/scenario-runs', 'List the plays of the scenarios', {
        description: 'Newest first, with what was said; the last 30 are kept.',
      }),
    )
    .input(pageInput.prefault({}))
    .output(pageOf(scenarioRunView))
    .query(({ ctx, input }) => listScenarioRuns(ctx.business, input)),
})
