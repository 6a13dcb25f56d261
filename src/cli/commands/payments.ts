import { type Command, Option } from 'commander'
import { PAYMENT_CURRENCIES, PAYMENT_PROVIDERS } from '../../domain/payments/index.ts'
import { fromDecimal, toDecimal } from '../../lib/money.ts'
import { formatPhone } from '../../lib/phone.ts'
import { limitOption, take } from '../arguments.ts'
import { UsageError } from '../exit.ts'
import { formatTable, formatTime, shorten } from '../output.ts'
import type { Cli } from '../session.ts'

export function addPaymentCommands(program: Command, { session, show }: Cli): void {
  const payments = program.command('payments').description('payment links and refunds')
  payments
    .command('request')
    .description('create a payment link')
    .argument('<contact>', 'a phone number or the id of a contact')
    .argument('<amount>', 'in shekels (or the currency): 79 or 79.90')
    .argument('<description>', 'what is paid for')
    .addOption(new Option('--currency <code>', 'of the amount').choices(PAYMENT_CURRENCIES).default('ILS'))
    .addOption(new Option('--provider <name>', 'default: chosen by currency').choices(PAYMENT_PROVIDERS))
    .option('--idempotency-key <key>', 'the same key never creates a second payment')
    .option('--hours <n>', 'how long the link is valid')
    .option('--send', 'send the link by WhatsApp')
    .action(
      async (
        contact: string,
        amount: string,
        description: string,
        options: {
          currency: (typeof PAYMENT_CURRENCIES)[number]
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
    .description('latest payments')
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
    .description('refund a payment in full')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      const refunded = await client.payments.refund.mutate({ id })
      await show(refunded, () => `${refunded.state}  ${toDecimal(refunded.refundedAmount)} refunded`)
    })
}

function toMinor(text: string): number {
  const minor = fromDecimal(text.trim())
  if (minor === null)
    throw new UsageError('The amount is not valid. Write a number with at most two decimals, such as 79.90.')
  return minor
}
