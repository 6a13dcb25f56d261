import { Command } from 'commander'
import { addAdminCommands } from './cli/admin-commands.ts'
import { addCallCommands } from './cli/call-commands.ts'
import { addCompletionCommand } from './cli/completion.ts'
import { addCrmCommands } from './cli/crm-commands.ts'
import { addCsvCommands, addImportCommands } from './cli/csv-commands.ts'
import { describeFailure, EXIT_HELP, UsageError } from './cli/exit.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { print, printError, printJson } from './cli/output.ts'
import { addPaymentCommands } from './cli/payments.ts'
import { addQuarantineCommands } from './cli/quarantine-commands.ts'
import type { Cli } from './cli/session.ts'
import { addSystemCommands } from './cli/system-commands.ts'
import { addUserCommands } from './cli/user-commands.ts'
import { addWhatsAppCommands } from './cli/whatsapp.ts'
import type { Deps } from './composition/deps.ts'
import { type Config, loadConfig, processEnvironment } from './config.ts'
import { terminalText } from './lib/escape/terminal.ts'
import { restrictNewFiles } from './lib/file-modes.ts'
import { readSandboxFile } from './processes/supervise/sandbox-file.ts'
import { createClient } from './trpc/client.ts'

type Global = { url?: string; key?: string; business?: string; local?: boolean; json?: boolean }

/** The commands, and where they look for the installation, for the words of a failure. */
export function buildProgram(): { program: Command; url(): string } {
  const program = new Command()
    .name('cli')
    .description('AgentLocator from the command line: a typed client of the running installation.')
    .option('--url <url>', 'base URL of the installation (default: PUBLIC_BASE_URL)')
    .option(
      '--key <key>',
      'API key; other users of this machine can see it here, in API_KEY they cannot (default: API_KEY)',
    )
    .option('--business <id>', 'for which business, where there are several')
    .option('--local', 'work on this machine’s database itself; needs no key')
    .option('--json', 'answer as JSON')
    .addHelpText('after', `\n${EXIT_HELP}`)
    .exitOverride()
    // It repeats what was typed.
    .configureOutput({ writeErr: (text) => process.stderr.write(terminalText(text)) })

  const target = () => {
    const config = settings()
    const options = program.opts<Global>()
    // A sandbox on this data directory is what is meant, whatever port it was given.
    const beside = config.sandbox ? readSandboxFile(config.dataDir)?.publicBaseUrl : undefined
    const url = (options.url ?? beside ?? config.publicBaseUrl).replace(/\/+$/, '')
    if (!/^https?:/.test(URL.parse(url)?.protocol ?? ''))
      throw new UsageError(`${url} is no address of an installation; write it as https://…`)
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
  addSystemCommands(program, cli)
  addQuarantineCommands(program, cli)
  addAdminCommands(program, cli)
  addUserCommands(program, cli)
  const { leads, contacts } = addCrmCommands(program, cli)
  addCsvCommands(leads, 'leads', cli)
  addCsvCommands(contacts, 'contacts', cli)
  addWhatsAppCommands(program, cli)
  addPaymentCommands(program, cli)
  addImportCommands(program, cli)
  addCallCommands(program, cli)
  addCompletionCommand(program)
  return { program, url: () => target().url }
}

/** The settings as a command works with them: beside a running sandbox, with the sandbox's own vendors and address. */
function settings(): Config {
  const config = loadConfig(processEnvironment())
  const beside = config.sandbox && config.twilio.kind === 'absent' ? readSandboxFile(config.dataDir) : null
  if (!beside) return config
  const { accountSid, authToken, carrierUrl, publicBaseUrl, paypalUrl, tranzilaUrl: bank } = beside
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

/** Stays open until the command ends: its process ends with it. */
async function openLocal(config: Config, businessId: string | undefined) {
  const { createLocalClient } = await import('./cli/local-client.ts')
  return createLocalClient(await openDeps(config), businessId)
}

async function main() {
  restrictNewFiles()
  listenForInterrupts()
  process.stdout.on('error', (error) => {
    // `… | head` has read enough: that is no failure.
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
  // Speech threads and keep-alive connections must not hold the shell.
  process.exit()
}

if (import.meta.main) await main()
