import { Argument, type Command } from 'commander'
import { CREDENTIAL_KINDS, CREDENTIAL_PROVIDERS, type CredentialProvider } from '../../domain/credentials/index.ts'
import { openAsker } from '../ask.ts'
import { UsageError } from '../exit.ts'
import { formatLine, formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

/** Not secret: shown while they are typed. */
const OPEN = new Set(['accountSid', 'whatsappFrom', 'model', 'clientId', 'webhookId', 'terminal'])

/** `business keys set|list|remove`: the provider keys of a business. */
export function addCredentialCommands(business: Command, { session, show }: Cli): void {
  const keys = business.command('keys').description('keys of the business for Twilio, OpenAI, PayPal and Tranzila')
  keys
    .command('list')
    .description('providers that have keys; the keys are never shown')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.credentials.list.query()
      await show(items, () =>
        formatTable(
          ['provider', 'account', 'since', 'changed'],
          items.map((row) => [row.provider, row.hint, formatTime(row.createdAt), formatTime(row.updatedAt)]),
        ),
      )
    })
  keys
    .command('set')
    .description('set the keys: asked for at a terminal, or read from standard input as lines of name=value')
    .addArgument(providerArgument())
    .addHelpText('after', () => `\nNames: ${CREDENTIAL_PROVIDERS.map(describeNames).join('\n       ')}`)
    .action(async (provider: CredentialProvider) => {
      const { client } = await session()
      const given = process.stdin.isTTY ? await askFor(provider) : readLines(provider, await Bun.stdin.text())
      const made = await client.credentials.set.mutate({ provider, keys: given })
      await show(made, () => formatLine(made.provider, made.hint))
    })
  keys
    .command('remove')
    .description('remove the keys; the business uses those of the installation again')
    .addArgument(providerArgument())
    .action(async (provider: CredentialProvider) => {
      const { client } = await session()
      await show(await client.credentials.remove.mutate({ provider }), () => 'removed')
    })
}

function providerArgument(): Argument {
  return new Argument('<provider>').choices(CREDENTIAL_PROVIDERS)
}

function namesOf(provider: CredentialProvider): { name: string; optional: boolean }[] {
  return Object.entries(CREDENTIAL_KINDS[provider].shape).map(([name, schema]) => ({
    name,
    optional: schema.safeParse(undefined).success,
  }))
}

function describeNames(provider: CredentialProvider): string {
  return `${provider}: ${namesOf(provider)
    .map(({ name, optional }) => (optional ? `[${name}]` : name))
    .join(', ')}`
}

async function askFor(provider: CredentialProvider): Promise<Record<string, string>> {
  const given: Record<string, string> = {}
  const asker = openAsker()
  try {
    for (const { name, optional } of namesOf(provider)) {
      const value = await asker.ask(`${name}${optional ? ' (optional)' : ''}: `, { hidden: !OPEN.has(name) })
      if (value !== '') given[name] = value
      else if (!optional) throw new UsageError(`${name} is required. Nothing was set; run the command again.`)
    }
  } finally {
    asker.close()
  }
  return given
}

function readLines(provider: CredentialProvider, text: string): Record<string, string> {
  const names = namesOf(provider).map(({ name }) => name)
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line, index) => {
        const [name = '', ...value] = line.split('=')
        // The line itself may be a secret.
        if (!names.includes(name.trim()))
          throw new UsageError(
            `Line ${index + 1} of the input is not valid. Write name=value with one of these names: ${names.join(', ')}.`,
          )
        return [name.trim(), value.join('=').trim()]
      }),
  )
}
