import type { Command } from 'commander'
import { renderUnicodeCompact } from 'uqr'
import { AppError } from '../lib/errors.ts'
import { formatPhone } from '../lib/phone.ts'
import { readSandboxFile } from '../supervise/sandbox-file.ts'
import type { createClient } from '../trpc/client.ts'
import { formatTable, formatTime } from './output.ts'

type Target = { client: ReturnType<typeof createClient>; config: { dataDir: string }; json: boolean }
type LinkView = Awaited<ReturnType<Target['client']['whatsapp']['list']['query']>>[number]
type LinkOptions = {
  account?: string
  new?: boolean
  simulate?: boolean
  phone?: string
  code?: boolean
  timeout: string
}

/** Nobody has this number: what the sandbox's second account is linked with. */
const SIMULATED_OWNER = '+972501110001'
const LOOK_MS = 300

/** The commands that link, show and unlink the accounts of a business. */
export function addLinkCommands(whatsapp: Command, target: () => Target): void {
  const show = (data: unknown, text: () => string) => console.log(target().json ? JSON.stringify(data) : text())

  whatsapp
    .command('status')
    .description('the linked accounts and what they need')
    .action(async () => {
      const accounts = await target().client.whatsapp.list.query()
      show(accounts, () => describe(accounts))
    })

  whatsapp
    .command('link')
    .description('link an account: shows a QR code, or, with --code, a code to type on the phone')
    .option('--account <id>', 'which one (default: the only one that is not linked, or a new one)')
    .option('--new', 'make another account')
    .option('--code', 'link by a pairing code')
    .option('--phone <number>', 'the own number: for --code, and for --simulate')
    .option('--simulate', 'let the sandbox’s phone scan')
    .option('--timeout <seconds>', 'how long to wait', '180')
    .action(async (options: LinkOptions) => {
      const { client, config, json } = target()
      const account = await chooseAccount(client, options)
      if (account.state === 'working') {
        show(account, () => `linked already: ${describe([account])}`)
        return
      }
      const own = options.phone ?? account.phone ?? (options.simulate ? SIMULATED_OWNER : undefined)
      if (options.code && !own) throw new Error('--code wants the own number: --phone +972…')
      await client.whatsapp.link.mutate({ id: account.id, ...(options.code && own ? { phone: own } : {}) })
      const linked = await follow(client, account.id, Number(options.timeout) * 1_000, async (view) => {
        if (options.simulate && own) await simulate(config.dataDir, view, own, options.code === true)
        else if (!json)
          console.error(view.pairingCode && options.code ? typeThis(view.pairingCode) : scanThis(view.qr ?? ''))
      })
      show(linked, () => describe([linked]))
    })

  for (const [name, description] of [
    ['logout', 'unlink an account'],
    ['restart', 'connect an account anew'],
  ] as const)
    whatsapp
      .command(name)
      .description(description)
      .option('--account <id>', 'which one (default: the only one)')
      .action(async (options: { account?: string }) => {
        const { client } = target()
        const { id } = pickOne(await client.whatsapp.list.query(), options.account)
        const { done } =
          name === 'logout'
            ? await client.whatsapp.logout.mutate({ id })
            : { done: (await client.whatsapp.restart.mutate({ id })).ok }
        show({ id, done }, () =>
          !done ? 'asked for; no worker has done it yet' : `${name === 'logout' ? 'logged out' : 'restarting'}  ${id}`,
        )
      })
}

async function chooseAccount(client: Target['client'], options: LinkOptions): Promise<LinkView> {
  if (options.new) return client.whatsapp.create.mutate({})
  const accounts = await client.whatsapp.list.query()
  if (options.account) return pickOne(accounts, options.account)
  const open = accounts.filter(({ state }) => state !== 'working')
  if (accounts.length === 0) return client.whatsapp.create.mutate({})
  return pickOne(open.length > 0 ? open : accounts, undefined)
}

function pickOne(accounts: LinkView[], id: string | undefined): LinkView {
  const matching = id === undefined ? accounts : accounts.filter((account) => account.id === id)
  const [only, another] = matching
  if (!only) throw new Error(id ? `There is no account ${id}.` : 'There is no account yet; link one first.')
  if (another) throw new Error(`Name one with --account:\n${describe(matching)}`)
  return only
}

/** Waits until the account works; every new code is shown once. */
async function follow(
  client: Target['client'],
  id: string,
  timeoutMs: number,
  onCode: (view: LinkView) => Promise<void>,
): Promise<LinkView> {
  let shown = ''
  let moved = false
  for (const deadline = Date.now() + timeoutMs; ; await Bun.sleep(LOOK_MS)) {
    const view = await client.whatsapp.status.query({ id })
    if (view.state === 'working') return view
    moved ||= view.state === 'starting' || view.state === 'scan_qr'
    if (moved && (view.state === 'blocked' || (view.state === 'failed' && view.retryAt === null)))
      throw new Error(`${view.state}: ${view.reason ?? ''}. ${view.advice ?? ''}`)
    const code = `${view.qr ?? ''} ${view.pairingCode ?? ''}`
    if (code !== ' ' && code !== shown) {
      shown = code
      await onCode(view)
    }
    if (Date.now() > deadline) throw new Error(`Not linked in time; it is ${view.state}. ${view.advice ?? ''}`)
  }
}

/** The phone of `own`, in the sandbox, scans the QR code or has the pairing code typed. */
async function simulate(dataDir: string, view: LinkView, own: string, byCode: boolean): Promise<void> {
  const root = readSandboxFile(dataDir)?.whatsappUrl
  if (!root) throw new Error('--simulate needs the sandbox: start one with ./start_all.sh.')
  if (byCode ? !view.pairingCode : !view.qr) return
  const body = byCode ? { phone: own, code: view.pairingCode } : { phone: own, qr: view.qr }
  const response = await fetch(`${root}/_control/${byCode ? 'code' : 'scan'}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  })
  if (!response.ok)
    throw new AppError('unavailable', 'not_scanned', `The sandbox's phone refused: ${await response.text()}`)
}

function describe(accounts: LinkView[]): string {
  return formatTable(
    ['state', 'number', 'since', 'reason', 'what to do', 'held by', 'id'],
    accounts.map((account) => [
      account.restriction ? `${account.state}, restricted (${account.restriction.code})` : account.state,
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
  `${renderUnicodeCompact(qr, { border: 2 })}\nOn the phone: WhatsApp, Linked devices, Link a device, and scan this.`
const typeThis = (code: string) =>
  `\n    ${code.slice(0, 4)}-${code.slice(4)}\n\nOn the phone: WhatsApp, Linked devices, Link with phone number, and type this.`
