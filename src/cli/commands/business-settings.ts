import { type Command, Option } from 'commander'
import type { z } from 'zod'
import { businessSettings } from '../../domain/businesses/index.ts'
import { WEEKDAYS } from '../../lib/weekdays.ts'
import type { Inputs, Outputs } from '../../trpc/client.ts'
import { type Language, languageOption } from '../arguments.ts'
import { UsageError } from '../exit.ts'
import { formatLine } from '../output.ts'
import type { Cli } from '../session.ts'

const { defaultWhatsappProvider, fallbackWhatsappProvider, longText, paymentProvider, speechEngine } =
  businessSettings.shape

export function addSettingCommands(business: Command, { session, show }: Cli): void {
  business
    .command('show')
    .description('the settings of one business: the one of --business or of the key, else the oldest')
    .action(async () => {
      const { client } = await session()
      const found = await client.businesses.get.query()
      await show(found, () => describeBusiness(found))
    })
  business
    .command('set')
    .description('change settings; the others stay as they are')
    .option('--name <name>')
    .addOption(languageOption())
    .option('--timezone <zone>', 'such as Asia/Jerusalem')
    .option('--greeting <words>', 'what the agent says first; "" for the built-in greeting')
    .addOption(
      new Option('--whatsapp <provider>', 'which provider sends WhatsApp messages').choices(
        defaultWhatsappProvider.options,
      ),
    )
    .addOption(
      new Option('--whatsapp-fallback <provider>', 'which provider sends when the first one cannot').choices([
        ...fallbackWhatsappProvider.unwrap().options,
        'none',
      ]),
    )
    .addOption(
      new Option('--long-text <what>', 'what to do with a text that is longer than the provider allows').choices(
        longText.options,
      ),
    )
    .addOption(
      new Option('--payments <provider>', 'which provider takes payments; any: chosen by currency').choices([
        ...paymentProvider.unwrap().options,
        'any',
      ]),
    )
    .addOption(
      new Option(
        '--speech <engine>',
        'which speech engine serves calls; default: chosen by the keys of the business',
      ).choices(speechEngine.options),
    )
    .option('--hours <day=spans...>', 'opening hours: sun=09:00-13:00,16:00-19:00 fri=closed')
    .action(async (options: SettingOptions) => {
      const { client } = await session()
      const changes = settingsOf(options)
      if (Object.keys(changes).length === 0)
        throw new UsageError('No setting was given. Name at least one; --help lists them.')
      if (options.hours) changes.hours = { ...(await client.businesses.get.query()).hours, ...hoursOf(options.hours) }
      const changed = await client.businesses.update.mutate(changes)
      await show(changed, () => describeBusiness(changed))
    })
}

type Settings = z.output<typeof businessSettings>
type SettingOptions = {
  name?: string
  lang?: Language
  timezone?: string
  greeting?: string
  whatsapp?: Settings['defaultWhatsappProvider']
  whatsappFallback?: NonNullable<Settings['fallbackWhatsappProvider']> | 'none'
  longText?: Settings['longText']
  payments?: NonNullable<Settings['paymentProvider']> | 'any'
  speech?: Settings['speechEngine']
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

/** `sun=09:00-13:00,16:00-19:00` as the spans of that weekday; `closed` has none. */
function hoursOf(days: string[]): WeekHours {
  const hours: WeekHours = {}
  for (const text of days) {
    const [name, spans = ''] = text.split('=')
    const day = WEEKDAYS.find((candidate) => candidate === name)
    if (!day)
      throw new UsageError(
        `The hours "${text}" are not valid. Write a weekday (${WEEKDAYS.join(', ')}), then = and its spans, such as sun=09:00-13:00.`,
      )
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
    : 'not set'
  const lines: [string, string][] = [
    ['name', business.name],
    ['id', business.id],
    ['language', business.language],
    ['time zone', business.timezone],
    ['greeting', business.greeting ?? 'built-in'],
    [
      'whatsapp',
      business.defaultWhatsappProvider +
        (business.fallbackWhatsappProvider ? `, then ${business.fallbackWhatsappProvider}` : ''),
    ],
    ['long texts', business.longText],
    ['payments', business.paymentProvider ?? 'by currency'],
    ['speech', business.speechEngine],
    ['hours', spoken],
    ...(business.blockedAt ? [['blocked', business.blockedReason ?? ''] as [string, string]] : []),
  ]
  return lines.map(([name, value]) => `${name.padEnd(10)} ${formatLine(value)}`).join('\n')
}
