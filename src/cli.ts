import { Command } from 'commander'
import { addBusinessCommands } from './cli/commands/business.ts'
import { addCallCommands, addSmokeCommand } from './cli/commands/call.ts'
import { addCallsCommands } from './cli/commands/calls.ts'
import { addCompletionCommand } from './cli/commands/completion.ts'
import { addContactCommands } from './cli/commands/contacts.ts'
import { addImportCommands } from './cli/commands/csv.ts'
import { addInstallationCommands } from './cli/commands/installation.ts'
import { addKeyCommands } from './cli/commands/key.ts'
import { addLeadCommands } from './cli/commands/leads.ts'
import { addMemberCommands } from './cli/commands/member.ts'
import { addMessageCommands } from './cli/commands/messages.ts'
import { addNumberCommands } from './cli/commands/number.ts'
import { addPaymentCommands } from './cli/commands/payments.ts'
import { addQuarantineCommands } from './cli/commands/quarantine.ts'
import { addQueueCommands } from './cli/commands/queue.ts'
import { addUserCommands } from './cli/commands/user.ts'
import { addWhatsAppCommands } from './cli/commands/whatsapp.ts'
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

const COMMANDS = [
  addInstallationCommands,
  addQueueCommands,
  addQuarantineCommands,
  addBusinessCommands,
  addMemberCommands,
  addKeyCommands,
  addNumberCommands,
  addUserCommands,
  addCallsCommands,
  addMessageCommands,
  addLeadCommands,
  addContactCommands,
  addWhatsAppCommands,
  addPaymentCommands,
  addImportCommands,
  addCallCommands,
  addSmokeCommand,
  addCompletionCommand,
] satisfies ((program: Command, cli: Cli) => void)[]

type Global = { url?: string; key?: string; business?: string; local?: boolean; json?: boolean }

export function buildProgram(): { program: Command; url(): string } {
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
  const local = async <T>(run: (deps: Deps) => Promise<T>): Promise<T> => {
    const deps = await openDeps(settings())
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
  for (const add of COMMANDS) add(program, cli)
  return { program, url: () => target().url }
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
  const { program, url } = buildProgram()
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
