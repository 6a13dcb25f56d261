import { type Command, Option } from 'commander'
import { fromDecimal, toDecimal } from '../lib/money.ts'
import { formatPhone } from '../lib/phone.ts'
import { limitOption, take } from './arguments.ts'
import { UsageError } from './exit.ts'
import { formatTable, formatTime, shorten } from './output.ts'
import type { Cli } from './session.ts'

const CURRENCIES = ['ILS', 'USD', 'EUR'] as const

/** `payments request|list|refund`. */
export function addPaymentCommands(program: Command, { session, show }: Cli): void {
  const payments = program.command('payments').description('payment links and refunds')
  payments
    .command('request')
    .description('make a payment link')
    .argument('<contact>', 'a phone number or the id of a contact')
    .argument('<amount>', 'in shekels (or the currency): 79 or 79.90')
    .argument('<description>', 'what it is for')
    .addOption(new Option('--currency <code>', 'of the amount').choices(CURRENCIES).default('ILS'))
    .addOption(new Option('--provider <name>', 'default: what is set up').choices(['paypal', 'tranzila']))
    .option('--idempotency-key <key>', 'asked twice, it is one payment')
    .option('--hours <n>', 'how long the link lives')
    .option('--send', 'send the link by WhatsApp')
    .action(
      async (
        contact: string,
        amount: string,
        description: string,
        options: {
          currency: (typeof CURRENCIES)[number]
          provider?: string
          idempotencyKey?: string
          hours?: string
          send?: boolean
        },
      ) => {
        const { currency, hours, ...rest } = options
        const { client } = await session()
        const made = await client.payments.request.mutate({
          contact,
          amount: toMinor(amount),
          description,
          currency,
          ...rest,
          ...(hours === undefined ? {} : { expiresInHours: Number(hours) }),
        })
        await show(made, () => `${made.state}  ${made.url}`)
      },
    )
  payments
    .command('list')
    .description('the latest payments')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.payments.list.query(page))
      await show(items, () =>
        formatTable(
          ['at', 'state', 'amount', 'by', 'who', 'for', 'id'],
          items.map((payment) => [
            formatTime(payment.createdAt),
            payment.state + (payment.reason ? ` (${payment.reason})` : ''),
            `${toDecimal(payment.amount)} ${payment.currency}`,
            payment.provider,
            payment.phone ? formatPhone(payment.phone) : (payment.contactName ?? ''),
            shorten(payment.description, 30),
            payment.id,
          ]),
        ),
      )
    })
  payments
    .command('refund')
    .description('give a paid payment back in full')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      const refunded = await client.payments.refund.mutate({ id })
      await show(refunded, () => `${refunded.state}  ${toDecimal(refunded.refundedAmount)} given back`)
    })
}

function toMinor(text: string): number {
  const minor = fromDecimal(text.trim())
  if (minor === null) throw new UsageError('The amount is a number with at most two decimals, for example 79.90.')
  return minor
}
