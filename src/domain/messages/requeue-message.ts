import { type SQL, sql } from 'drizzle-orm'
import { contacts, messages } from '../../../db/schema/index.ts'

type Row = typeof messages.$inferInsert

/** What a failed attempt sets: the message waits, or is given up if its person opted out meanwhile; later ones wait. */
export function requeueMessage(set: Pick<Row, 'nextAttemptAt' | 'errorCode' | 'errorMessage'> = {}) {
  const optedOut = sql`exists (select from ${contacts}
    where ${contacts.id} = ${messages.contactId} and ${contacts.optedOutAt} > ${messages.occurredAt})`
  const either = (then: SQL, otherwise: unknown) => sql`case when ${optedOut} then ${then} else ${otherwise} end`
  return {
    ...set,
    status: either(sql`'failed'`, sql`'queued'`),
    failedAt: either(sql`now()`, messages.failedAt),
    errorCode: either(sql`'contact_opted_out'`, set.errorCode ?? messages.errorCode),
    errorMessage: either(
      sql`'This person asked not to be written to before it was sent.'`,
      set.errorMessage ?? messages.errorMessage,
    ),
  }
}
