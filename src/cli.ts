import { TRPCClientError } from '@trpc/client'
import { Command, CommanderError } from 'commander'
import { addAdminCommands } from './cli/admin-commands.ts'
import { completionScript } from './cli/completion.ts'
import { addCsvCommands, addDataCommands } from './cli/data-commands.ts'
import { formatTable, formatTime, shorten } from './cli/output.ts'
import { addPaymentCommands } from './cli/payments.ts'
import { describeReplay, replayTarget } from './cli/replay.ts'
import type { Cli } from './cli/session.ts'
import { runSmoke } from './cli/smoke.ts'
import { addLinkCommands } from './cli/whatsapp.ts'
import { type Config, ConfigError, loadConfig, processEnvironment } from './config.ts'
import type { Deps } from './deps.ts'
import { errorMessage } from './lib/errors.ts'
import { formatPhone } from './lib/phone.ts'
import type { CallReportJson } from './sandbox/carrier/call-report.ts'
import { type SimulatedCallResult, simulateCall } from './sandbox/simulate.ts'
import { readSandboxFile } from './supervise/sandbox-file.ts'
import { createClient } from './trpc/client.ts'

/** The lines that the sandbox's first business answers, and a caller nobody has. */
const DEMO_NUMBERS: Record<string, string> = { he: '+97233760000', en: '+97233760001' }
const DEMO_CALLER = '+972501234567'

type Global = { url?: string; key?: string; business?: string; local?: boolean; json?: boolean }

function buildProgram(): Command {
  const program = new Command()
    .name('cli')
    .description('AgentLocator from the command line: a typed client of the running installation.')
    .option('--url <url>', 'base URL of the installation (default: PUBLIC_BASE_URL)')
    .option('--key <key>', 'API key (default: API_KEY; the sandbox needs none on its own machine)')
    .option('--business <id>', 'for which business, where there are several')
    .option('--local', 'work on this machine’s database itself; needs no key')
    .option('--json', 'answer as JSON')
    .exitOverride()

  const target = () => {
    const config = loadConfig(processEnvironment())
    const options = program.opts<Global>()
    // A sandbox on this data directory is what is meant, whatever port it was given.
    const beside = config.sandbox ? readSandboxFile(config.dataDir)?.publicBaseUrl : undefined
    const url = (options.url ?? beside ?? config.publicBaseUrl).replace(/\/+$/, '')
    const apiKey = options.key ?? config.apiKey
    return {
      config,
      url,
      apiKey,
      json: options.json ?? false,
      client: createClient({ url, apiKey, businessId: options.business ?? null }),
    }
  }
  const show = async (data: unknown, table: () => string) => console.log(target().json ? JSON.stringify(data) : table())
  const local = async <T>(run: (deps: Deps) => Promise<T>): Promise<T> => {
    const { createDeps } = await import('./deps.ts')
    const { withDatabase } = await import('./maintenance.ts')
    const deps = await createDeps({ ...withDatabase(target().config), logLevel: 'warn' }, 'cli')
    try {
      return await run(deps)
    } finally {
      await deps.close()
    }
  }
  const cli: Cli = {
    show,
    local,
    settings: () => target().config,
    async session() {
      const { config, url, json, client } = target()
      return { config, url, json, client: program.opts<Global>().local ? await openLocal() : client }
    },
  }
  /** Stays open until the command ends: its process ends with it. */
  const openLocal = async () => {
    const { createDeps } = await import('./deps.ts')
    const { withDatabase } = await import('./maintenance.ts')
    const { createLogin } = await import('./auth.ts')
    const { createLocalClient } = await import('./cli/local-client.ts')
    const config = withDatabase(target().config)
    const deps = await createDeps({ ...config, logLevel: 'warn' }, 'cli')
    return createLocalClient(
      deps,
      (login) =>
        createLogin({ db: deps.ctx.db, secret: config.sessionSecret, publicBaseUrl: config.publicBaseUrl }, login),
      program.opts<Global>().business,
    )
  }
  addAdminCommands(program, cli)
  addDataCommands(program, cli)
  program
    .command('doctor')
    .description('look at everything the installation needs, and say what to do')
    .action(async () => {
      const { config, json } = target()
      const { examine } = await import('./cli/doctor.ts')
      const sound = await examine(config, local, (finding) => {
        if (json) console.log(JSON.stringify(finding))
        else
          console.log(
            `${{ ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' }[finding.state]}  ${finding.check.padEnd(20)} ${finding.found}${finding.advice ? `\n         ${finding.advice}` : ''}`,
          )
      })
      if (!sound) process.exitCode = 1
    })
  program
    .command('completion')
    .description('print a completion script: source <(… completion bash)')
    .argument('<shell>', 'bash or zsh')
    .option('--name <name>', 'what the command line is called in your shell', 'agentlocator')
    .action((shell: string, { name }: { name: string }) => console.log(completionScript(program, shell, name)))

  const calls = program.command('calls').description('calls')
  calls
    .command('list')
    .description('the latest calls')
    .option('--limit <n>', 'how many', '20')
    .action(async ({ limit }: { limit: string }) => {
      const page = await (await cli.session()).client.calls.list.query({ limit: Number(limit) })
      await show(page, () =>
        formatTable(
          ['started', 'from', 'name', 'state', 'reason', 'seconds', 'id'],
          page.items.map((call) => [
            formatTime(call.startedAt),
            formatPhone(call.from),
            call.contactName ?? '',
            call.state,
            call.endReason ?? '',
            call.durationMs === null ? '' : (call.durationMs / 1000).toFixed(1),
            call.id,
          ]),
        ),
      )
    })
  calls
    .command('show')
    .description('one call with its turns, recordings and lead')
    .argument('<id>', 'the id of the call or the carrier’s call SID')
    .action(async (id: string) => {
      const call = await (await cli.session()).client.calls.get.query({ id })
      await show(call, () =>
        [
          `${formatTime(call.startedAt)}  ${formatPhone(call.from)} → ${formatPhone(call.to)}  ${call.state}  ${call.endReason ?? ''}`,
          describeTurns(call),
          ...call.recordings.map(
            (file) => `recording ${file.id}  ${file.state}  ${((file.durationMs ?? 0) / 1000).toFixed(1)}s`,
          ),
        ].join('\n'),
      )
    })

  const messages = program.command('messages').description('messages')
  messages
    .command('list')
    .description('the latest messages')
    .option('--limit <n>', 'how many', '20')
    .action(async ({ limit }: { limit: string }) => {
      const page = await (await cli.session()).client.messages.list.query({ limit: Number(limit) })
      await show(page, () =>
        formatTable(
          ['at', 'dir', 'by', 'status', 'who', 'text', 'id'],
          page.items.map((message) => [
            formatTime(message.occurredAt),
            message.direction,
            message.provider,
            message.status,
            message.phone ? formatPhone(message.phone) : (message.contactName ?? ''),
            shorten(message.body.replaceAll('\n', ' '), 40),
            message.id,
          ]),
        ),
      )
    })

  const leads = program.command('leads').description('leads')
  leads
    .command('list')
    .description('the latest leads')
    .action(async () => {
      const page = await (await cli.session()).client.leads.list.query({})
      await show(page, () =>
        formatTable(
          ['at', 'stage', 'source', 'phone', 'name', 'wish', 'call back'],
          page.items.map((lead) => [
            formatTime(lead.createdAt),
            lead.stage,
            lead.source,
            lead.phone ? formatPhone(lead.phone) : '',
            lead.name ?? '',
            shorten(lead.wish ?? '', 40),
            lead.callbackTime ?? '',
          ]),
        ),
      )
    })

  addCsvCommands(leads, 'leads', cli)

  const contacts = program.command('contacts').description('contacts')
  addCsvCommands(contacts, 'contacts', cli)
  contacts
    .command('list')
    .description('the latest contacts')
    .action(async () => {
      const page = await (await cli.session()).client.contacts.list.query({})
      await show(page, () =>
        formatTable(
          ['since', 'phone', 'name', 'id'],
          page.items.map((contact) => [
            formatTime(contact.createdAt),
            contact.phone ? formatPhone(contact.phone) : '',
            contact.name ?? '',
            contact.id,
          ]),
        ),
      )
    })

  const whatsapp = program.command('whatsapp').description('WhatsApp')
  whatsapp
    .command('send')
    .description('queue a text')
    .argument('<to>', 'whatsapp:+972…, +972… or 05x-…')
    .argument('<text>')
    .option('--provider <name>', 'twilio or baileys (default: the business’s own)')
    .option('--idempotency-key <key>', 'asked twice, it is one message')
    .action(async (to: string, text: string, options: { provider?: string; idempotencyKey?: string }) => {
      const sent = await (await cli.session()).client.messages.send.mutate({ to, text, ...options })
      await show(sent, () => `${sent.status}  ${sent.id}`)
    })

  addLinkCommands(whatsapp, target)
  addPaymentCommands(program, { client: () => target().client, show })

  const call = program.command('call').description('simulated and recorded calls')
  call
    .command('replay')
    .description('live a recorded call through again: what was said, and whether every decision is the same')
    .argument('<call>', 'its id or call SID, or a file with its record')
    .action(async (which: string) => {
      const replay = await replayTarget(which, async (id) => (await cli.session()).client.calls.replay.query({ id }))
      await show(replay, () => describeReplay(replay))
      if (!replay.same) process.exitCode = 1
    })
  call
    .command('simulate')
    .description('place a call with a synthesized caller and print how it went')
    .option('--say <file...>', 'WAV files to say, in order, instead of the prepared answers')
    .option('--lang <language>', 'he or en', 'he')
    .option('--from <number>', 'the caller', DEMO_CALLER)
    .option('--to <number>', 'the number called (default: the sandbox’s line in that language)')
    .action(async (given: { say?: string[]; lang: string; from: string; to?: string }) => {
      const options = { ...given, to: given.to ?? DEMO_NUMBERS[given.lang] ?? '' }
      const { config, url, client, json } = target()
      if (!json) console.error(`calling ${formatPhone(options.to)} …`)
      const { report } = await placeSimulatedCall(config, url, options)
      const recorded = await recordedCall(client, report.callSid)
      await show(
        { report, recorded },
        () => `${recorded ? `${describeTurns(recorded)}\n\n` : ''}${describeCall(report)}`,
      )
      if (report.ended.by === 'application_error') process.exitCode = 1
    })

  program
    .command('smoke')
    .description('the field report’s smoke test, A to E, against a running installation')
    .argument('[base-url]')
    .option('--to <number>', 'a number that may get a test message')
    .action(async (baseUrl: string | undefined, options: { to?: string }) => {
      const { config, url, apiKey, json } = target()
      const base = (baseUrl ?? url).replace(/\/+$/, '')
      const sandbox = sandboxOf(config, base)
      const token = sandbox || config.twilio.kind === 'configured'
      const passed = await runSmoke(
        {
          baseUrl: base,
          apiKey,
          to: options.to ?? (sandbox ? DEMO_CALLER : null),
          placeCall: token
            ? async () =>
                smokeCall(
                  await placeSimulatedCall(config, base, {
                    lang: 'en',
                    from: DEMO_CALLER,
                    to: DEMO_NUMBERS.en ?? '',
                  }),
                )
            : null,
        },
        (check) => {
          if (json) console.log(JSON.stringify(check))
          else
            console.log(
              `${check.skipped ? 'skip' : check.ok ? 'ok  ' : 'FAIL'}  ${check.name}\n      expected ${check.expected}; got ${check.got}`,
            )
        },
      )
      if (!passed) process.exitCode = 1
    })

  return program
}

/** The sandbox that runs beside us, when it is the one that is asked for. */
function sandboxOf(config: Config, url: string) {
  const file = readSandboxFile(config.dataDir)
  return file && new URL(file.publicBaseUrl).port === new URL(url).port ? file : null
}

async function placeSimulatedCall(
  config: Config,
  url: string,
  options: { say?: string[]; lang: string; from: string; to: string },
): Promise<SimulatedCallResult> {
  if (options.lang !== 'he' && options.lang !== 'en') throw new Error('--lang wants he or en.')
  const sandbox = sandboxOf(config, url)
  const twilio = config.twilio.kind === 'configured' ? config.twilio : null
  const accountSid = sandbox?.accountSid ?? twilio?.accountSid
  const authToken = sandbox?.authToken ?? twilio?.authToken
  if (!accountSid || !authToken)
    throw new Error(
      'The calls are signed with the Twilio auth token of the installation: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or run this beside the sandbox.',
    )
  const publicBaseUrl = sandbox?.publicBaseUrl ?? config.publicBaseUrl
  return simulateCall({
    publicBaseUrl,
    connectBaseUrl: url,
    accountSid,
    authToken,
    ...(sandbox ? { carrierUrl: sandbox.carrierUrl } : {}),
    from: options.from,
    to: options.to,
    language: options.lang,
    ...(options.say ? { say: await Promise.all(options.say.map((file) => Bun.file(file).bytes())) } : {}),
    cacheDir: config.dataDir,
  })
}

/** What the smoke test wants to know of a call. */
function smokeCall({ report, streamStatuses }: SimulatedCallResult) {
  return {
    streamStatus: streamStatuses,
    streamEnded: report.documents.find((document) => document.source === 'connect_action')?.status ?? null,
    codes: report.codes.filter((code) => code.level !== 'notice').map((code) => code.code),
    greetingMs: report.greetingLatencyMs,
    ended: report.ended.by,
  }
}

type RecordedCall = Awaited<ReturnType<ReturnType<typeof createClient>['calls']['get']['query']>>

const CRM_WAIT_MS = 8_000

/** The call as it stands in the CRM, once its end is written; null when we may not read it or it never comes. */
async function recordedCall(client: ReturnType<typeof createClient>, callSid: string): Promise<RecordedCall | null> {
  const deadline = Date.now() + CRM_WAIT_MS
  for (;;) {
    try {
      const call = await client.calls.get.query({ id: callSid })
      const complete = call.state === 'ended' && call.carrierStatus !== null
      if (complete || Date.now() > deadline) return call
    } catch (error) {
      if (Date.now() > deadline) {
        console.error(`The call could not be read from the CRM: ${errorMessage(error)}`)
        return null
      }
    }
    await Bun.sleep(200)
  }
}

/** The conversation, a line a turn. */
function describeTurns(call: RecordedCall): string {
  return formatTable(
    ['#', 'who', 'at', 'heard', 'said'],
    call.turns.map((turn) => [
      String(turn.index),
      turn.role,
      `${(turn.startMs / 1000).toFixed(1)}s`,
      `${((turn.role === 'caller' ? turn.endMs - turn.startMs : (turn.heardMs ?? 0)) / 1000).toFixed(1)}s${turn.interrupted ? ' cut' : ''}`,
      turn.text ?? `[${turn.hasAudio ? 'audio kept' : turn.transcript}${turn.question ? `: ${turn.question}` : ''}]`,
    ]),
  )
}

function describeCall(report: CallReportJson): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)}s`.padStart(6)
  const latency = (ms: number | null) => (ms === null ? 'none' : `${Math.round(ms)} ms`)
  return [
    `call ${report.callSid}  ${report.from} → ${report.to}`,
    ...report.timeline.map((entry) => `${seconds(entry.atMs)}  ${entry.event}  ${entry.detail ?? ''}`.trimEnd()),
    '',
    `answered after      ${latency(report.answerLatencyMs)}`,
    `greeting after      ${latency(report.greetingLatencyMs)} of the stream's start`,
    ...report.turns.map(
      (turn) => `answer to ${turn.label.padEnd(9)} ${latency(turn.responseLatencyMs)} after the voice`,
    ),
    `heard               ${(report.heardMs / 1000).toFixed(1)} s of the agent`,
    `ended               ${report.ended.by}: ${report.ended.detail}`,
    ...report.codes.map((code) => `${code.level.padEnd(19)} ${code.code} ${code.message}`),
  ].join('\n')
}

async function main() {
  try {
    await buildProgram().parseAsync(process.argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode
    else {
      const known =
        error instanceof TRPCClientError || error instanceof ConfigError ? error.message : errorMessage(error)
      console.error(`error: ${known}`)
      process.exitCode = 1
    }
  }
  // Speech threads and keep-alive connections must not hold the shell.
  process.exit()
}

if (import.meta.main) await main()
