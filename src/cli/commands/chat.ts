import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import type { Deps } from '../../composition/deps.ts'
import { type ChatTurn, createRespond, NO_CUSTOMER, openTestChat, type TestChat } from '../../domain/agent/index.ts'
import { listBusinesses } from '../../domain/businesses/index.ts'
import { type BusinessContext, within } from '../../domain/context.ts'
import { AppError } from '../../lib/errors.ts'
import { parsePhone } from '../../lib/phone.ts'
import { UsageError } from '../exit.ts'
import { formatLine, print, printError, printJson } from '../output.ts'
import type { Cli } from '../session.ts'

const HELP = 'Write as a customer would. An empty line or Ctrl-D ends the chat. Nothing that the tools do is kept.'

export function addChatCommand(program: Command, { local }: Cli): void {
  program
    .command('chat')
    .description('talk to the agent as a customer, with every step shown; its tools change nothing')
    .option('--as <number>', 'as this customer, who is remembered', NO_CUSTOMER)
    .option('--say <text...>', 'say this, each text a turn, in place of what is typed')
    .action(async ({ as, say }: { as: string; say?: string[] }) => {
      const phone = parsePhone(as)
      if (!phone) throw new UsageError(`${as} is no phone number. Write it as +972…`)
      const { business, json = false } = program.opts<{ business?: string; json?: boolean }>()
      await local(async (deps) => {
        await deps.keyring.refresh()
        const respond = createRespond({ models: deps.models, readFile: (key) => readFile(deps, key) })
        const ctx = await businessOf(deps, business)
        const chat = await openTestChat(ctx, { respond, phone, dryRun: true, isTrusted: true })
        if (!say) return await talk(chat, json)
        for (const text of say) await answer(chat, text, json)
      })
    })
}

async function readFile({ storage }: Deps, key: string): Promise<Uint8Array | null> {
  const found = await storage.get(key)
  return found ? await found.body.bytes() : null
}

async function businessOf(deps: Deps, wanted: string | undefined): Promise<BusinessContext> {
  const all = await listBusinesses(deps.ctx)
  const found = wanted ? all.find(({ id }) => id === wanted) : all[0]
  if (!found)
    throw new AppError(
      'not_found',
      'business_not_found',
      'There is no business with this id. `business list` shows them.',
    )
  return within(deps.ctx, found.id, { kind: 'system', id: 'chat' })
}

async function talk(chat: TestChat, json: boolean): Promise<void> {
  const isTerminal = process.stdin.isTTY === true
  if (isTerminal) printError(HELP)
  const lines = createInterface({ input: process.stdin, terminal: false })
  if (isTerminal) process.stderr.write('> ')
  for await (const line of lines) {
    if (line.trim() === '') break
    await answer(chat, line, json)
    if (isTerminal) process.stderr.write('> ')
  }
}

async function answer(chat: TestChat, text: string, json: boolean): Promise<void> {
  const turn = await chat.say([text], new Date())
  await (json ? printJson(turn) : print(`${describeTurn(turn)}\n`))
}

/** What was answered, below the steps that led there. */
function describeTurn({ reply, silence, agent, thinkingMs }: ChatTurn): string {
  if (!reply) return formatLine(`  silent: ${silence}`)
  const tools = reply.tools.map(({ name, input, output, error }) =>
    formatLine(
      `  tool ${name}`,
      JSON.stringify(input),
      error === undefined ? `→ ${JSON.stringify(output)}` : `failed: ${error}`,
    ),
  )
  return [
    ...tools,
    ...reply.sources.map(({ title, kind }) => formatLine(`  from ${kind}`, title)),
    ...reply.gaps.map((question) => formatLine('  not known', question)),
    ...reply.guard.map((found) => formatLine('  not sent', found)),
    ...(reply.handover ? [formatLine('  handed over', reply.handover, `the agent is ${agent}`)] : []),
    formatLine('  by', reply.model ?? reply.engine, `${Math.round(thinkingMs)} ms`, costOf(reply.costMicros)),
    reply.text,
  ].join('\n')
}

const costOf = (micros: number | null | undefined) => (micros ? `$${(micros / 1e6).toFixed(5)}` : '')
