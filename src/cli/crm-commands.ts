import type { Command } from 'commander'
import { formatPhone } from '../lib/phone.ts'
import { limitOption, take } from './arguments.ts'
import { describeTurns } from './describe-call.ts'
import { addMediaCommand, describeDetails, summarizeMessage } from './message-media.ts'
import { formatLine, formatTable, formatTime, indent, shorten } from './output.ts'
import type { Cli } from './session.ts'

type Limit = { limit: number }

/** `calls`, `messages`, `leads`, `contacts`: what the receptionist left, newest first. Answers the nouns that take CSV. */
export function addCrmCommands(program: Command, cli: Cli): { leads: Command; contacts: Command } {
  const { session, show } = cli
  const calls = program.command('calls').description('calls and what was said')
  calls
    .command('list')
    .description('the latest calls')
    .addOption(limitOption())
    .action(async ({ limit }: Limit) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.calls.list.query(page))
      await show(items, () =>
        formatTable(
          ['started', 'from', 'name', 'state', 'reason', 'seconds', 'id'],
          items.map((call) => [
            formatTime(call.startedAt),
            formatPhone(call.from),
            call.contactName ?? '',
            call.state,
            call.endReason ?? '',
            call.durationMs === null ? '' : (call.durationMs / 1000).toFixed(1),
            call.id,
          ]),
        ),
      )
    })
  calls
    .command('show')
    .description('one call with its turns, recordings and lead')
    .argument('<id>', 'the id of the call or the carrier’s call SID')
    .action(async (id: string) => {
      const call = await (await session()).client.calls.get.query({ id })
      await show(call, () =>
        [
          `${formatTime(call.startedAt)}  ${formatPhone(call.from)} → ${formatPhone(call.to)}  ${call.state}  ${call.endReason ?? ''}`,
          describeTurns(call),
          ...call.recordings.map(
            (file) => `recording ${file.id}  ${file.state}  ${((file.durationMs ?? 0) / 1000).toFixed(1)}s`,
          ),
        ].join('\n'),
      )
    })

  const messages = program.command('messages').description('WhatsApp messages in and out')
  messages
    .command('list')
    .description('the latest messages')
    .addOption(limitOption())
    .action(async ({ limit }: Limit) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.messages.list.query(page))
      await show(items, () =>
        formatTable(
          ['at', 'dir', 'by', 'status', 'who', 'text', 'id'],
          items.map((message) => [
            formatTime(message.occurredAt),
            message.direction,
            message.provider,
            message.status,
            message.phone ? formatPhone(message.phone) : (message.contactName ?? ''),
            shorten(summarizeMessage(message), 40),
            message.id,
          ]),
        ),
      )
    })
  messages
    .command('show')
    .description('one message, with its files, its times and why it failed')
    .argument('<id>')
    .action(async (id: string) => {
      const message = await (await session()).client.messages.get.query({ id })
      await show(message, () =>
        [
          formatLine(
            message.direction,
            message.provider,
            message.kind,
            message.status,
            message.phone ? formatPhone(message.phone) : '',
            message.contactName,
          ),
          message.deletedAt ? '[deleted]' : indent(message.body),
          ...describeDetails(message),
          ...(['occurredAt', 'sentAt', 'deliveredAt', 'readAt', 'failedAt', 'editedAt', 'deletedAt'] as const)
            .filter((name) => message[name] !== null)
            .map((name) => `${name.replace('At', '').padEnd(10)} ${formatTime(message[name])}`),
          ...(message.errorCode ? [formatLine(`error      ${message.errorCode} ${message.errorMessage ?? ''}`)] : []),
        ].join('\n'),
      )
    })

  addMediaCommand(messages, cli)

  const leads = program.command('leads').description('leads, and CSV in and out')
  leads
    .command('list')
    .description('the latest leads')
    .addOption(limitOption())
    .action(async ({ limit }: Limit) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.leads.list.query(page))
      await show(items, () =>
        formatTable(
          ['at', 'stage', 'source', 'phone', 'name', 'inquiry', 'call back', 'id'],
          items.map((lead) => [
            formatTime(lead.createdAt),
            lead.stage,
            lead.source,
            lead.phone ? formatPhone(lead.phone) : '',
            lead.name ?? '',
            shorten(lead.inquiry ?? '', 40),
            lead.callbackTime ?? '',
            lead.id,
          ]),
        ),
      )
    })

  const contacts = program.command('contacts').description('contacts, and CSV in and out')
  contacts
    .command('list')
    .description('the latest contacts')
    .addOption(limitOption())
    .action(async ({ limit }: Limit) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.contacts.list.query(page))
      await show(items, () =>
        formatTable(
          ['since', 'phone', 'name', 'id'],
          items.map((contact) => [
            formatTime(contact.createdAt),
            contact.phone ? formatPhone(contact.phone) : '',
            contact.name ?? '',
            contact.id,
          ]),
        ),
      )
    })
  contacts
    .command('repair')
    .description(
      'bring contacts together that are one person under two spellings of a number, and drop numbers that are none',
    )
    .action(async () => {
      const { client } = await session()
      const report = await client.contacts.repair.mutate()
      await show(report, () =>
        [
          `${report.checked} contacts with a number looked at`,
          `${report.merged} merged into the one contact of their person`,
          `${report.respelled} numbers written as they are dialled today`,
          `${report.detachedCalls} calls of withheld callers taken off contacts`,
          `${report.numbersDropped} numbers dropped that were none, ${report.removed} contacts removed that were nothing else`,
        ].join('\n'),
      )
    })
  return { leads, contacts }
}
