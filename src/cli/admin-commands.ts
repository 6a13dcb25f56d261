import { Argument, type Command, Option } from 'commander'
import { formatPhone } from '../lib/phone.ts'
import { WEEKDAYS } from '../lib/weekdays.ts'
import type { Inputs, Outputs } from '../trpc/client.ts'
import { idArgument, languageOption, limitOption, take } from './arguments.ts'
import { addCredentialCommands } from './credential-commands.ts'
import { UsageError } from './exit.ts'
import { formatLine, formatTable, formatTime } from './output.ts'
import type { Cli } from './session.ts'

const ROLES = ['owner', 'manager', 'agent', 'viewer'] as const
const SCOPES = ['read', 'write', 'admin'] as const
const PROVIDERS = ['twilio', 'baileys'] as const
const TILLS = ['paypal', 'tranzila'] as const
const ENGINES = ['default', 'openai-realtime', 'embedded'] as const

type Role = (typeof ROLES)[number]
type Scope = (typeof SCOPES)[number]
type Language = 'he' | 'en'

/** `business`, `member`, `key`, `number`: who may do what, and which numbers are answered. */
export function addAdminCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const business = program.command('business').description('the businesses of the installation')
  business
    .command('list')
    .description('every one, oldest first')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.businesses.list.query()
      await show(items, () =>
        formatTable(
          ['name', 'language', 'blocked', 'since', 'id'],
          items.map((row) => [row.name, row.language, row.blockedAt ? 'yes' : '', formatTime(row.createdAt), row.id]),
        ),
      )
    })
  business
    .command('create')
    .description('make another business; answers its id')
    .argument('<name>')
    .addOption(languageOption().default('he'))
    .action(async (name: string, { lang }: { lang: Language }) => {
      const { client } = await session()
      const made = await client.businesses.create.mutate({ name, language: lang })
      await show(made, () => made.id)
    })
  business
    .command('block')
    .description('its calls go to voicemail, its sends are refused')
    .addArgument(idArgument('the id of the business'))
    .argument('<reason>')
    .action(async (id: string, reason: string) => {
      const { client } = await session()
      await show(await client.businesses.block.mutate({ id, reason }), () => 'blocked')
    })
  business
    .command('unblock')
    .description('serve it again')
    .addArgument(idArgument('the id of the business'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.businesses.unblock.mutate({ id }), () => 'unblocked')
    })

  business
    .command('show')
    .description('the settings of one business: the oldest, or that of --business or the key')
    .action(async () => {
      const { client } = await session()
      const found = await client.businesses.get.query()
      await show(found, () => describeBusiness(found))
    })
  business
    .command('set')
    .description('change settings; those not given stay')
    .option('--name <name>')
    .addOption(languageOption())
    .option('--timezone <zone>', 'such as Asia/Jerusalem')
    .option('--greeting <words>', 'spoken instead of the built-in greeting; "" for the built-in one')
    .addOption(new Option('--whatsapp <provider>', 'what WhatsApp messages go through').choices(PROVIDERS))
    .addOption(
      new Option('--whatsapp-fallback <provider>', 'what sends when that one cannot').choices([...PROVIDERS, 'none']),
    )
    .addOption(new Option('--long-text <what>', 'a text longer than its provider takes').choices(['split', 'refuse']))
    .addOption(
      new Option('--payments <provider>', 'what takes payments; any: what suits the currency').choices([
        ...TILLS,
        'any',
      ]),
    )
    .addOption(new Option('--speech <engine>', 'what talks to callers; default: with its own key').choices(ENGINES))
    .option('--hours <day=spans...>', 'when people are there: sun=09:00-13:00,16:00-19:00 fri=closed')
    .action(async (options: SettingOptions) => {
      const { client } = await session()
      const changes = settingsOf(options)
      if (Object.keys(changes).length === 0) throw new UsageError('Say what is to be changed; see --help.')
      if (options.hours) changes.hours = { ...(await client.businesses.get.query()).hours, ...hoursOf(options.hours) }
      const changed = await client.businesses.update.mutate(changes)
      await show(changed, () => describeBusiness(changed))
    })

  addCredentialCommands(business, cli)

  const member = program.command('member').description('who may log in for the business')
  member
    .command('list')
    .description('the members and their roles')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.members.list.query(page))
      await show(items, () =>
        formatTable(
          ['e-mail', 'name', 'role', '2nd factor', 'id'],
          items.map((row) => [row.email, row.name, row.role, row.twoFactorEnabled ? 'yes' : '', row.id]),
        ),
      )
    })
  member
    .command('invite')
    .description('ask somebody to become a member; the link goes by mail, or is printed where no mail is set up')
    .argument('<email>')
    .addOption(new Option('--role <role>', 'how far they may go').choices(ROLES).default('agent'))
    .action(async (email: string, { role }: { role: Role }) => {
      const { client } = await session()
      await showInvitation(cli, await client.members.invite.mutate({ email, role }))
    })
  member
    .command('invitations')
    .description('those that nobody has accepted yet')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.members.invitations.query(page))
      await show(items, () =>
        formatTable(
          ['e-mail', 'role', 'mail', 'expires', 'id'],
          items.map((row) => [row.email, row.role, row.mail ?? 'by hand', formatTime(row.expiresAt), row.id]),
        ),
      )
    })
  member
    .command('resend')
    .description('send an invitation again, with a new link; the earlier one stops working')
    .addArgument(idArgument('the id of the invitation'))
    .action(async (id: string) => {
      const { client } = await session()
      await showInvitation(cli, await client.members.resendInvitation.mutate({ id }))
    })
  member
    .command('revoke')
    .description('end an invitation')
    .addArgument(idArgument('the id of the invitation'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.members.revokeInvitation.mutate({ id }), () => 'revoked')
    })
  member
    .command('second-factor')
    .description('whether owners need one; without it they have a manager’s rights')
    .addArgument(new Argument('<required>').choices(['required', 'optional']))
    .action(async (required: string) => {
      const { client } = await session()
      const answer = await client.members.requireSecondFactor.mutate({ required: required === 'required' })
      await show(answer, () => required)
    })
  member
    .command('role')
    .description('give a member another role')
    .addArgument(idArgument('the id of the member'))
    .addArgument(new Argument('<role>').choices(ROLES))
    .action(async (id: string, role: Role) => {
      const { client } = await session()
      const changed = await client.members.setRole.mutate({ id, role })
      await show(changed, () => formatLine(changed.email, changed.role))
    })
  member
    .command('remove')
    .description('end a membership')
    .addArgument(idArgument('the id of the member'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.members.remove.mutate({ id }), () => 'removed')
    })

  const key = program.command('key').description('API keys of the business')
  key
    .command('list')
    .description('the keys, by their first characters')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.keys.list.query(page))
      await show(items, () =>
        formatTable(
          ['name', 'key', 'scope', 'last used', 'revoked', 'id'],
          items.map((row) => [
            row.name,
            `${row.prefix}…`,
            row.operator ? `${row.scope}, operator` : row.scope,
            formatTime(row.lastUsedAt),
            formatTime(row.revokedAt),
            row.id,
          ]),
        ),
      )
    })
  key
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<name>')
    .addOption(new Option('--scope <scope>', 'how far it may go').choices(SCOPES).default('write'))
    .option('--operator', 'it runs the whole installation; needs the scope admin')
    .action(async (name: string, { scope, operator }: { scope: Scope; operator?: true }) => {
      const { client } = await session()
      const made = await client.keys.create.mutate({ name, scope, operator: operator ?? false })
      await show(made, () => made.key)
    })
  key
    .command('revoke')
    .description('end a key')
    .addArgument(idArgument('the id of the key'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.keys.revoke.mutate({ id }), () => 'revoked')
    })

  const number = program.command('number').description('the numbers that the business answers')
  number
    .command('list')
    .description('the numbers and what is spoken on them')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.businesses.numbers.query()
      await show(items, () =>
        formatTable(
          ['number', 'label', 'language', 'since', 'id'],
          items.map((row) => [
            formatPhone(row.e164),
            row.label ?? '',
            row.language ?? '',
            formatTime(row.createdAt),
            row.id,
          ]),
        ),
      )
    })
  number
    .command('add')
    .description('let the business answer a number; `doctor --fix` leads its webhooks here')
    .argument('<number>', '+972… or 03-…')
    .option('--label <label>')
    .addOption(languageOption())
    .action(async (value: string, { label, lang }: { label?: string; lang?: Language }) => {
      const { client } = await session()
      const made = await client.businesses.addNumber.mutate({
        number: value,
        ...(label ? { label } : {}),
        ...(lang ? { language: lang } : {}),
      })
      await show(made, () => `${made.e164}  ${made.id}`)
    })
  number
    .command('remove')
    .description('answer a number no longer')
    .addArgument(idArgument('the id of the number'))
    .action(async (numberId: string) => {
      const { client } = await session()
      await show(await client.businesses.removeNumber.mutate({ numberId }), () => 'removed')
    })
}

async function showInvitation(cli: Cli, made: Outputs['members']['invite']): Promise<void> {
  await cli.show(made, () =>
    [
      `${made.email}  ${made.role}  ${made.id}`,
      made.link
        ? `Hand this link over; it works once, until ${formatTime(made.expiresAt)}:\n${made.link}`
        : 'The invitation goes by mail.',
    ].join('\n'),
  )
}

type SettingOptions = {
  name?: string
  lang?: Language
  timezone?: string
  greeting?: string
  whatsapp?: (typeof PROVIDERS)[number]
  whatsappFallback?: (typeof PROVIDERS)[number] | 'none'
  longText?: 'split' | 'refuse'
  payments?: (typeof TILLS)[number] | 'any'
  speech?: (typeof ENGINES)[number]
  hours?: string[]
}

function settingsOf(options: SettingOptions): Inputs['businesses']['update'] {
  const { name, lang, timezone, greeting, whatsapp, whatsappFallback, longText, payments, speech, hours } = options
  return {
    ...(name === undefined ? {} : { name }),
    ...(lang === undefined ? {} : { language: lang }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(greeting === undefined ? {} : { greeting: greeting === '' ? null : greeting }),
    ...(whatsapp === undefined ? {} : { defaultWhatsappProvider: whatsapp }),
    ...(whatsappFallback === undefined
      ? {}
      : { fallbackWhatsappProvider: whatsappFallback === 'none' ? null : whatsappFallback }),
    ...(longText === undefined ? {} : { longText }),
    ...(payments === undefined ? {} : { paymentProvider: payments === 'any' ? null : payments }),
    ...(speech === undefined ? {} : { speechEngine: speech }),
    ...(hours === undefined ? {} : { hours: hoursOf(hours) }),
  }
}

type WeekHours = NonNullable<Outputs['businesses']['get']['hours']>

/** `sun=09:00-13:00,16:00-19:00` as that weekday's spans; `closed` is none. */
function hoursOf(days: string[]): WeekHours {
  const hours: WeekHours = {}
  for (const text of days) {
    const [name, spans = ''] = text.split('=')
    const day = WEEKDAYS.find((candidate) => candidate === name)
    if (!day) throw new UsageError(`${text}: write a weekday as ${WEEKDAYS.join(', ')}, then = and its spans.`)
    hours[day] =
      spans === 'closed'
        ? []
        : spans.split(',').map((span): [string, string] => {
            const [from = '', to = ''] = span.split('-')
            return [from, to]
          })
  }
  return hours
}

function describeBusiness(business: Outputs['businesses']['get']): string {
  const { hours } = business
  const spoken = hours
    ? WEEKDAYS.map((day) => `${day} ${hours[day]?.map((span) => span.join('-')).join(',') || 'closed'}`).join('  ')
    : 'not said'
  const lines: [string, string][] = [
    ['name', business.name],
    ['id', business.id],
    ['language', business.language],
    ['time zone', business.timezone],
    ['greeting', business.greeting ?? 'the built-in one'],
    [
      'whatsapp',
      business.defaultWhatsappProvider +
        (business.fallbackWhatsappProvider ? `, then ${business.fallbackWhatsappProvider}` : ''),
    ],
    ['long texts', business.longText],
    ['payments', business.paymentProvider ?? 'what suits the currency'],
    ['speech', business.speechEngine],
    ['hours', spoken],
    ...(business.blockedAt ? [['blocked', business.blockedReason ?? ''] as [string, string]] : []),
  ]
  return lines.map(([name, value]) => `${name.padEnd(10)} ${formatLine(value)}`).join('\n')
}
