import { type JobHandlers, PermanentJobError } from '../../src/jobs/consumer.ts'

/** A full set of handlers for the crm queue in which only `some` do anything. */
export function crmHandlers(some: Partial<JobHandlers<'crm'>>): JobHandlers<'crm'> {
  const refuse = async () => {
    throw new PermanentJobError('not expected in this test')
  }
  return {
    'call.register': refuse,
    'call.stream_event': refuse,
    'call.refuse_stream': refuse,
    'call.status': refuse,
    'call.turn': refuse,
    'call.turns': refuse,
    'call.finish': refuse,
    'call.summarize': refuse,
    'lead.save': refuse,
    'message.receive': refuse,
    'message.status': refuse,
    'webhook.deliver': refuse,
    'mail.send': refuse,
    'alert.send': refuse,
    'alert.reply': refuse,
    'sms.status': refuse,
    'alert.watch': refuse,
    'calendar.sync': refuse,
    'calendar.push': refuse,
    'import.run': refuse,
    'maintenance.sweep': refuse,
    'payment.request': refuse,
    'whatsapp.store': refuse,
    'payment.receipt': refuse,
    'payment.sweep': refuse,
    ...some,
  }
}

/** @public */
// @ts-expect-error a queue with a job that has no handler must not compile
export const incompleteHandlers: JobHandlers<'whatsapp'> = {}
