import type { Command } from 'commander'
import { formatPhone } from '../../lib/phone.ts'
import { limitOption, take } from '../arguments.ts'
import { formatLine, formatTable, formatTime, indent, shorten } from '../output.ts'
import type { Cli } from '../session.ts'
import { addMediaCommand, describeDetails, summarizeMessage } from './message-media.ts'

export function addMessageCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const messages = program.command('messages').description('WhatsApp messages')
  messages
    .command('list')
    .description('latest messages')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
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
    .description('one message with its files, times and error')
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
}
