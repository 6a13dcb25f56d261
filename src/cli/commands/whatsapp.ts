import { type Command, InvalidArgumentError, Option } from 'commander'
import { renderUnicodeCompact } from 'uqr'
import { WHATSAPP_PROVIDERS } from '../../domain/messages/index.ts'
import { AppError } from '../../lib/errors.ts'
import { formatPhone, isSamePhone, parsePhone } from '../../lib/phone.ts'
import { readSandboxFile } from '../../processes/supervise/sandbox-file.ts'
import type { Client, Outputs } from '../../trpc/client.ts'
import { UsageError } from '../exit.ts'
import { formatTable, formatTime, printError } from '../output.ts'
import type { Cli } from '../session.ts'

type LinkView = Outputs['whatsapp']['get']
type LinkOptions = {
  account?: string
  new?: boolean
  simulate?: boolean
  phone?: string
  code?: boolean
  timeout: number
}

/** Belongs to no one: the number of the sandbox's second account. */
const SIMULATED_OWNER = '+972501110001'
const POLL_MS = 300

export function addWhatsAppCommands(program: Command, { session, show }: Cli): void {
  const whatsapp = program.command('whatsapp').description('send messages, and manage linked accounts')
  whatsapp
    .command('send')
    .description('send a text')
    .argument('<to>', 'whatsapp:+972…, +972… or 05x-…')
    .argument('<text>')
    .addOption(new Option('--provider <name>', 'default: the provider of the business').choices(WHATSAPP_PROVIDERS))
    .option('--idempotency-key <key>', 'the same key never sends a second message')
    .action(async (to: string, text: string, options: { provider?: string; idempotencyKey?: string }) => {
      const { client } = await session()
      const sent = await client.messages.send.mutate({ to, text, ...options })
      await show(sent, () => (sent.parts ?? [sent.id]).map((id) => `${sent.status}  ${id}`).join('\n'))
    })

  whatsapp
    .command('status')
    .description('linked accounts and what they need')
    .action(async () => {
      const { client } = await session()
      const { items: accounts } = await client.whatsapp.list.query()
      await show(accounts, () => describe(accounts))
    })

  addLinkCommand(whatsapp, { session, show })
  addConfirmationCommands(whatsapp, { session, show })
  for (const [name, description] of [
    ['logout', 'unlink an account'],
    ['restart', 'reconnect an account'],
  ] as const)
    whatsapp
      .command(name)
      .description(description)
      .option('--account <id>', 'the account (default: the only one)')
      .action(async (options: { account?: string }) => {
        const { client } = await session()
        const { id } = pickOne((await client.whatsapp.list.query()).items, options.account)
        const { done } =
          name === 'logout'
            ? await client.whatsapp.logout.mutate({ id })
            : { done: (await client.whatsapp.restart.mutate({ id })).ok }
        await show({ id, done }, () =>
          !done ? 'requested; no worker has done it yet' : `${name === 'logout' ? 'logged out' : 'restarting'}  ${id}`,
        )
      })
}

function addLinkCommand(whatsapp: Command, { session, show }: Pick<Cli, 'session' | 'show'>): void {
  whatsapp
    .command('link')
    .description('link an account by QR code, or, with --code, by a code to type on the phone')
    .option('--account <id>', 'the account (default: the only one that is not linked, or a new one)')
    .option('--new', 'create another account')
    .option('--code', 'link by a pairing code')
    .option('--phone <number>', 'the number of the account, for --code and --simulate')
    .option('--simulate', 'let the phone of the sandbox scan the code')
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait').default(180).argParser((text) => {
        if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds.')
        return Number(text)
      }),
    )
    .action(async (options: LinkOptions) => {
      const { client, config, json } = await session()
      const account = await chooseAccount(client, options)
      if (account.state === 'working') {
        await show(account, () => `The account is already linked.\n${describe([account])}`)
        return
      }
      const own = options.phone ?? account.phone ?? (options.simulate ? SIMULATED_OWNER : undefined)
      if (options.code && !own)
        throw new UsageError('The pairing code needs the number of the account. Add --phone +972…')
      await client.whatsapp.link.mutate({ id: account.id, ...(options.code && own ? { phone: own } : {}) })
      const linked = await follow(client, account.id, options.timeout * 1_000, async (view) => {
        if (options.simulate && own) await simulate(config.dataDir, view, own, options.code === true)
        else if (!json)
          printError(view.pairingCode && options.code ? typeThis(view.pairingCode) : scanThis(view.qr ?? ''))
      })
      await show(linked, () => describe([linked]))
    })
}

function addConfirmationCommands(whatsapp: Command, { session, show }: Pick<Cli, 'session' | 'show'>): void {
  for (const [name, description] of [
    ['confirm', 'allow an account to send from the unexpected number that linked it'],
    ['refuse', 'unlink an account that an unexpected number linked'],
  ] as const)
    whatsapp
      .command(name)
      .description(description)
      .argument('<number>', 'the number, as `whatsapp status` shows it')
      .action(async (number: string) => {
        const { client } = await session()
        const phone = parsePhone(number)
        const waiting = (await client.whatsapp.list.query()).items.filter(
          (account) => account.confirmationNeeded !== null,
        )
        const isMeant = (linked: string | undefined) => linked && phone && isSamePhone(linked, phone)
        const account = waiting.find(({ confirmationNeeded }) => isMeant(confirmationNeeded?.phone))
        if (!account?.confirmationNeeded)
          throw new AppError(
            'not_found',
            'nothing_to_confirm',
            `No account waits for a confirmation of ${number}. \`whatsapp status\` shows the numbers that wait.`,
          )
        const input = { id: account.id, phone: account.confirmationNeeded.phone }
        if (name === 'confirm') {
          const confirmed = await client.whatsapp.confirm.mutate(input)
          await show(confirmed, () => describe([confirmed]))
        } else {
          const refused = await client.whatsapp.refuse.mutate(input)
          await show({ ...input, ...refused }, () => `refused and unlinked  ${account.id}`)
        }
      })
}

async function chooseAccount(client: Client, options: LinkOptions): Promise<LinkView> {
  if (options.new) return client.whatsapp.create.mutate({})
  const { items: accounts } = await client.whatsapp.list.query()
  if (options.account) return pickOne(accounts, options.account)
  const open = accounts.filter(({ state }) => state !== 'working')
  if (accounts.length === 0) return client.whatsapp.create.mutate({})
  return pickOne(open.length > 0 ? open : accounts, undefined)
}

function pickOne(accounts: LinkView[], id: string | undefined): LinkView {
  const matching = id === undefined ? accounts : accounts.filter((account) => account.id === id)
  const [only, another] = matching
  if (!only)
    throw new AppError(
      'not_found',
      'account_not_found',
      id
        ? `There is no account ${id}. \`whatsapp status\` lists them.`
        : 'There is no account. Link one with `whatsapp link`.',
    )
  if (another) throw new UsageError(`There are several accounts. Name one with --account:\n${describe(matching)}`)
  return only
}

async function follow(
  client: Client,
  id: string,
  timeoutMs: number,
  onCode: (view: LinkView) => Promise<void>,
): Promise<LinkView> {
  let shown = ''
  let moved = false
  for (const deadline = Date.now() + timeoutMs; ; await Bun.sleep(POLL_MS)) {
    const view = await client.whatsapp.get.query({ id })
    if (view.state === 'working') return view
    moved ||= view.state === 'starting' || view.state === 'scan_qr'
    if (moved && (view.state === 'blocked' || (view.state === 'failed' && view.retryAt === null)))
      throw new Error(`The account was not linked: ${view.reason ?? view.state}. ${view.advice ?? ''}`)
    const code = `${view.qr ?? ''} ${view.pairingCode ?? ''}`
    if (code !== ' ' && code !== shown) {
      shown = code
      await onCode(view)
    }
    if (Date.now() > deadline)
      throw new Error(`The account was not linked in time; its state is ${view.state}. ${view.advice ?? ''}`)
  }
}

async function simulate(dataDir: string, view: LinkView, own: string, byCode: boolean): Promise<void> {
  const root = readSandboxFile(dataDir)?.whatsappUrl
  if (!root) throw new Error('--simulate needs a running sandbox. Start one with ./start_all.sh.')
  if (byCode ? !view.pairingCode : !view.qr) return
  const body = byCode ? { phone: own, code: view.pairingCode } : { phone: own, qr: view.qr }
  const response = await fetch(`${root}/_control/${byCode ? 'code' : 'scan'}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  })
  if (!response.ok)
    throw new AppError(
      'unavailable',
      'not_scanned',
      `The phone of the sandbox refused the code: ${await response.text()}`,
    )
}

function stateOf({ state, restriction, confirmationNeeded }: LinkView): string {
  if (confirmationNeeded) return `${state}, not confirmed`
  return restriction ? `${state}, restricted (${restriction.code})` : state
}

function describe(accounts: LinkView[]): string {
  return formatTable(
    ['state', 'number', 'since', 'reason', 'what to do', 'held by', 'id'],
    accounts.map((account) => [
      stateOf(account),
      account.phone ? formatPhone(account.phone) : '',
      formatTime(account.since),
      account.reason ?? '',
      account.advice ?? '',
      account.owner ?? '',
      account.id,
    ]),
  )
}

const scanThis = (qr: string) =>
  `${renderUnicodeCompact(qr, { border: 2 })}\nOn the phone: WhatsApp, Linked devices, Link a device; then scan this code.`
const typeThis = (code: string) =>
  `\n    ${code.slice(0, 4)}-${code.slice(4)}\n\nOn the phone: WhatsApp, Linked devices, Link with phone number; then type this code.`
