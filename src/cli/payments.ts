import type { Command } from 'commander'
import { fromDecimal, toDecimal } from '../lib/money.ts'
import { formatPhone } from '../lib/phone.ts'
import type { createClient } from '../trpc/client.ts'
import { formatTable, formatTime, shorten } from './output.ts'

type Tools = {
  client(): ReturnType<typeof createClient>
  /** Prints the data as JSON or the table, as the caller asked. */
  show(data: unknown, table: () => string): void
}

/** `payments request|list|refund`. */
export function addPaymentCommands(program: Command, tools: Tools): void {
  const payments = program.command('payments').description('payments')
  payments
    .command('request')
    .description('make a payment link')
    .argument('<contact>', 'a phone number or the id of a contact')
    .argument('<amount>', 'in shekels (or the currency): 79 or 79.90')
    .argument('<description>', 'what it is for')
    .option('--currency <code>', 'ILS, USD or EUR', 'ILS')
    .option('--provider <name>', 'paypal or tranzila (default: what is set up)')
    .option('--idempotency-key <key>', 'asked twice, it is one payment')
    .option('--hours <n>', 'how long the link lives')
    .option('--send', 'send the link by WhatsApp')
    .action(
      async (
        contact: string,
        amount: string,
        description: string,
        options: { currency: string; provider?: string; idempotencyKey?: string; hours?: string; send?: boolean },
      ) => {
        const { currency, hours, ...rest } = options
        if (currency !== 'ILS' && currency !== 'USD' && currency !== 'EUR')
          throw new Error('--currency wants ILS, USD or EUR.')
        const made = await tools.client().payments.request.mutate({
          contact,
          amount: toMinor(amount),
          description,
          currency,
          ...rest,
          ...(hours === undefined ? {} : { expiresInHours: Number(hours) }),
        })
        tools.show(made, () => `${made.state}  ${made.url}`)
      },
    )
  payments
    .command('list')
    .description('the latest payments')
    .option('--limit <n>', 'how many', '20')
    .action(async ({ limit }: { limit: string }) => {
      const page = await tools.client().payments.list.query({ limit: Number(limit) })
      tools.show(page, () =>
        formatTable(
          ['at', 'state', 'amount', 'by', 'who', 'for', 'id'],
          page.items.map((payment) => [
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
      const refunded = await tools.client().payments.refund.mutate({ id })
      tools.show(refunded, () => `${refunded.state}  ${toDecimal(refunded.refundedAmount)} given back`)
    })
}

function toMinor(text: string): number {
  const minor = fromDecimal(text.trim())
  if (minor === null) throw new Error('The amount is a number with at most two decimals, for example 79.90.')
  return minor
}
