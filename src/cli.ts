import { Command } from 'commander'
import { describeFailure, EXIT_HELP, UsageError } from './cli/exit.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { print, printError, printJson } from './cli/output.ts'
import type { Cli } from './cli/session.ts'
import type { Deps } from './composition/deps.ts'
import { type Config, loadConfig, processEnvironment } from './config.ts'
import { terminalText } from './lib/escape/terminal.ts'
import { restrictNewFiles } from './lib/file-modes.ts'
import { readSandboxFile } from './processes/supervise/sandbox-file.ts'
import { createClient } from './trpc/client.ts'

type Add = (program: Command, cli: Cli) => void

/** The commands in the order of the help, by their files: one command needs one file, and each brings its part of the domain. */
const COMMANDS: { names: readonly string[]; load(): Promise<Add[]> }[] = [
  {
    names: ['doctor', 'migrate', 'backup', 'restore'],
    load: () => import('./cli/commands/installation.ts').then((m) => [m.addInstallationCommands]),
  },
  {
    names: ['queue'],
    load: () => import('./cli/commands/queue.ts').then((m) => [m.addQueueCommands]),
  },
  {
    names: ['quarantine'],
    load: () => import('./cli/commands/quarantine.ts').then((m) => [m.addQuarantineCommands]),
  },
  {
    names: ['business'],
    load: () => import('./cli/commands/business.ts').then((m) => [m.addBusinessCommands]),
  },
  {
    names: ['member'],
    load: () => import('./cli/commands/member.ts').then((m) => [m.addMemberCommands]),
  },
  {
    names: ['key'],
    load: () => import('./cli/commands/key.ts').then((m) => [m.addKeyCommands]),
  },
  {
    names: ['number'],
    load: () => import('./cli/commands/number.ts').then((m) => [m.addNumberCommands]),
  },
  {
    names: ['user'],
    load: () => import('./cli/commands/user.ts').then((m) => [m.addUserCommands]),
  },
  {
    names: ['calls'],
    load: () => import('./cli/commands/calls.ts').then((m) => [m.addCallsCommands]),
  },
  {
    names: ['messages'],
    load: () => import('./cli/commands/messages.ts').then((m) => [m.addMessageCommands]),
  },
  {
    names: ['leads'],
    load: () => import('./cli/commands/leads.ts').then((m) => [m.addLeadCommands]),
  },
  {
    names: ['contacts'],
    load: () => import('./cli/commands/contacts.ts').then((m) => [m.addContactCommands]),
  },
  {
    names: ['whatsapp'],
    load: () => import('./cli/commands/whatsapp.ts').then((m) => [m.addWhatsAppCommands]),
  },
  {
    names: ['payments'],
    load: () => import('./cli/commands/payments.ts').then((m) => [m.addPaymentCommands]),
  },
  {
    names: ['imports'],
    load: () => import('./cli/commands/csv.ts').then((m) => [m.addImportCommands]),
  },
  {
    names: ['call', 'smoke'],
    load: () => import('./cli/commands/call.ts').then((m) => [m.addCallCommands, m.addSmokeCommand]),
  },
  {
    names: ['eval'],
    load: () => import('./cli/commands/evals.ts').then((m) => [m.addEvalCommands]),
  },
  {
    names: ['chat'],
    load: () => import('./cli/commands/chat.ts').then((m) => [m.addChatCommand]),
  },
  {
    names: ['completion'],
    load: () => import('./cli/commands/completion.ts').then((m) => [m.addCompletionCommand]),
  },
]

type Global = { url?: string; key?: string; business?: string; local?: boolean; json?: boolean }

/** @param args what was typed: only the files of the command that it names are loaded; all of them where it names none */
export async function buildProgram(args: readonly string[] = []): Promise<{ program: Command; url(): string }> {
  const program = new Command()
    .name('cli')
    .description('AgentLocator on the command line: a client of a running installation.')
    .option('--url <url>', 'base URL of the installation (default: PUBLIC_BASE_URL)')
    .option('--key <key>', 'API key; other users of this machine can see it, unlike API_KEY (default: API_KEY)')
    .option('--business <id>', 'the business, when there are several')
    .option('--local', 'work on the database of this machine; needs no key')
    .option('--json', 'print JSON')
    .addHelpText('after', `\n${EXIT_HELP}`)
    .exitOverride()
    // Error messages repeat what was typed.
    .configureOutput({ writeErr: (text) => process.stderr.write(terminalText(text)) })

  const target = () => {
    const config = settings()
    const options = program.opts<Global>()
    // A sandbox on this data directory may listen on any port.
    const sandboxUrl = config.sandbox ? readSandboxFile(config.dataDir)?.publicBaseUrl : undefined
    const url = (options.url ?? sandboxUrl ?? config.publicBaseUrl).replace(/\/+$/, '')
    if (!/^https?:/.test(URL.parse(url)?.protocol ?? ''))
      throw new UsageError(`The address ${url} is not valid. Write it as https://…`)
    return { config, url, apiKey: options.key ?? config.apiKey, options }
  }
  const local = async <T>(run: (deps: Deps) => Promise<T>, config: Config = settings()): Promise<T> => {
    const deps = await openDeps(config)
    try {
      return await run(deps)
    } finally {
      await deps.close()
    }
  }
  const cli: Cli = {
    async show(data, table) {
      await (program.opts<Global>().json ? printJson(data) : print(`${table()}\n`))
    },
    local,
    settings,
    async session() {
      const { config, url, apiKey, options } = target()
      const client = options.local
        ? await openLocal(config, options.business)
        : createClient({ url, apiKey, businessId: options.business ?? null })
      return { config, url, apiKey, json: options.json ?? false, local: options.local ?? false, client }
    },
  }
  for (const { load } of commandsFor(args)) for (const add of await load()) add(program, cli)
  return { program, url: () => target().url }
}

/** Those whose name stands among the arguments, be it as a value of an option: a file too many is only slower. */
function commandsFor(args: readonly string[]): typeof COMMANDS {
  const named = COMMANDS.filter(({ names }) => names.some((name) => args.includes(name)))
  // The help, the completion and a wrong name show all of them.
  return named.length === 0 || ['help', '--help', '-h'].includes(args[0] ?? '') || args.includes('completion')
    ? COMMANDS
    : named
}

/** The settings of a command; beside a running sandbox, with its address and its simulated vendors. */
function settings(): Config {
  const config = loadConfig(processEnvironment())
  const sandbox = config.sandbox && config.twilio.kind === 'absent' ? readSandboxFile(config.dataDir) : null
  if (!sandbox) return config
  const { accountSid, authToken, carrierUrl, publicBaseUrl, paypalUrl, tranzilaUrl: bank } = sandbox
  return {
    ...config,
    publicBaseUrl,
    endpoints: {
      ...config.endpoints,
      twilioApi: carrierUrl,
      ...(paypalUrl ? { paypalApi: paypalUrl } : {}),
      ...(bank ? { tranzila: { apiBaseUrl: bank, reportBaseUrl: bank, payBaseUrl: bank } } : {}),
    },
    twilio: { kind: 'configured', accountSid, authToken, apiBaseUrl: carrierUrl, whatsappFrom: null },
  }
}

async function openDeps(config: Config): Promise<Deps> {
  const { createDeps } = await import('./composition/deps.ts')
  const { withDatabase } = await import('./processes/maintenance.ts')
  return createDeps({ ...withDatabase(config), logLevel: 'warn' }, 'cli')
}

async function openLocal(config: Config, businessId: string | undefined) {
  const { createLocalClient } = await import('./cli/local-client.ts')
  return createLocalClient(await openDeps(config), businessId)
}

async function main() {
  restrictNewFiles()
  listenForInterrupts()
  process.stdout.on('error', (error) => {
    // The reader of a pipe, such as `head`, has read enough: this is not a failure.
    if ('code' in error && error.code === 'EPIPE') process.exit()
    throw error
  })
  const { program, url } = await buildProgram(process.argv.slice(2))
  try {
    await program.parseAsync(process.argv)
  } catch (error) {
    const { message, code } = describeFailure(error, url)
    if (message) printError(`error: ${message}`)
    process.exitCode = code
  }
  // Speech threads and keep-alive connections would keep the process alive.
  process.exit()
}

if (import.meta.main) await main()
