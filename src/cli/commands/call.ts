import { type Command, Option } from 'commander'
import type { Config } from '../../config.ts'
import { errorMessage } from '../../lib/errors.ts'
import { terminalLine } from '../../lib/escape/terminal.ts'
import { formatPhone } from '../../lib/phone.ts'
import type { ReplayReport } from '../../media/replay.ts'
import { readSandboxFile } from '../../processes/supervise/sandbox-file.ts'
import { SANDBOX_NUMBERS } from '../../sandbox/demo.ts'
import type { SimulatedCallResult } from '../../sandbox/simulate.ts'
import type { Client, Outputs } from '../../trpc/client.ts'
import { describeReport, describeTurns } from '../describe-call.ts'
import { EXIT, UsageError } from '../exit.ts'
import { print, printError, printJson } from '../output.ts'
import type { Cli } from '../session.ts'
import { runSmoke } from '../smoke.ts'

const DEMO_CALLER = '+972501234567'

type Language = keyof typeof SANDBOX_NUMBERS
type CallOptions = { say?: string[]; lang: Language; from: string; to: string }

export function addCallCommands(program: Command, { session, show }: Cli): void {
  const call = program.command('call').description('simulated and recorded calls')
  call
    .command('replay')
    .description('replay a recorded call: its transcript, and whether every decision is the same')
    .argument('<call>', 'the id or call SID of the call, or a file with its trace')
    .action(async (which: string) => {
      const file = Bun.file(which)
      // Loaded when it is used: every other command starts sooner.
      const { replayTrace } = await import('../../media/replay.ts')
      const replay = (await file.exists())
        ? await replayTrace(await file.text())
        : await (await session()).client.calls.replay.query({ id: which })
      await show(replay, () => describeReplay(replay))
      if (!replay.same) process.exitCode = EXIT.failed
    })
  call
    .command('simulate')
    .description('place a call with a synthesized caller and print a report')
    .option('--say <file...>', 'WAV files to play, in order, instead of the prepared answers')
    .addOption(
      new Option('--lang <language>', 'the language of the caller').choices(Object.keys(SANDBOX_NUMBERS)).default('he'),
    )
    .option('--from <number>', 'the caller', DEMO_CALLER)
    .option('--to <number>', 'the number called (default: the number of the sandbox in that language)')
    .action(async (given: Omit<CallOptions, 'to'> & { to?: string }) => {
      const options = { ...given, to: given.to ?? SANDBOX_NUMBERS[given.lang] }
      const { config, url, client, json } = await session()
      if (!json) printError(`calling ${formatPhone(options.to)} …`)
      const { report } = await placeSimulatedCall(config, url, options)
      const recorded = await recordedCall(client, report.callSid)
      await show(
        { report, recorded },
        () => `${recorded ? `${describeTurns(recorded)}\n\n` : ''}${describeReport(report)}`,
      )
      if (report.ended.by === 'application_error') process.exitCode = EXIT.failed
    })
}

function describeReplay({ transcript, decisions, firstDifference: other }: ReplayReport): string {
  const verdict = other
    ? `decision ${other.index + 1} differs: recorded ${JSON.stringify(other.recorded)}, replayed ${JSON.stringify(other.replayed)}`
    : `${decisions.length} decisions, all the same`
  return [...transcript.map(terminalLine), '', verdict].join('\n')
}

export function addSmokeCommand(program: Command, { session }: Cli): void {
  program
    .command('smoke')
    .description('the field report’s smoke test, A to E, against a running installation')
    .argument('[base-url]')
    .option('--to <number>', 'a number that test messages may be sent to')
    .action(async (baseUrl: string | undefined, options: { to?: string }) => {
      const { config, url, apiKey, json } = await session()
      const base = (baseUrl ?? url).replace(/\/+$/, '')
      if (!URL.canParse(base)) throw new UsageError(`The address ${base} is not valid. Write it as https://…`)
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
                  await placeSimulatedCall(config, base, { lang: 'en', from: DEMO_CALLER, to: SANDBOX_NUMBERS.en }),
                )
            : null,
        },
        (check) =>
          void (json
            ? printJson(check)
            : print(
                `${check.skipped ? 'skip' : check.ok ? 'ok  ' : 'FAIL'}  ${check.name}\n      expected ${check.expected}; got ${check.got}\n`,
              )),
      )
      if (!passed) process.exitCode = EXIT.failed
    })
}

function sandboxOf(config: Config, url: string) {
  const file = readSandboxFile(config.dataDir)
  return file && new URL(file.publicBaseUrl).port === new URL(url).port ? file : null
}

async function placeSimulatedCall(config: Config, url: string, options: CallOptions): Promise<SimulatedCallResult> {
  const sandbox = sandboxOf(config, url)
  const twilio = config.twilio.kind === 'configured' ? config.twilio : null
  const accountSid = sandbox?.accountSid ?? twilio?.accountSid
  const authToken = sandbox?.authToken ?? twilio?.authToken
  if (!accountSid || !authToken)
    throw new UsageError(
      'A simulated call needs the Twilio account of the installation. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or run this beside the sandbox.',
    )
  const publicBaseUrl = sandbox?.publicBaseUrl ?? config.publicBaseUrl
  const { simulateCall } = await import('../../sandbox/simulate.ts')
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

function smokeCall({ report, streamStatuses }: SimulatedCallResult) {
  return {
    streamStatus: streamStatuses,
    streamEnded: report.documents.find((document) => document.source === 'connect_action')?.status ?? null,
    codes: report.codes.filter((code) => code.level !== 'notice').map((code) => code.code),
    greetingMs: report.greetingLatencyMs,
    ended: report.ended.by,
  }
}

const CRM_WAIT_MS = 8_000

async function recordedCall(client: Client, callSid: string): Promise<Outputs['calls']['get'] | null> {
  const deadline = Date.now() + CRM_WAIT_MS
  for (;;) {
    try {
      const call = await client.calls.get.query({ id: callSid })
      const complete = call.state === 'ended' && call.carrierStatus !== null
      if (complete || Date.now() > deadline) return call
    } catch (error) {
      if (Date.now() > deadline) {
        printError(`The call could not be read from the CRM. ${errorMessage(error)}`)
        return null
      }
    }
    await Bun.sleep(200)
  }
}
