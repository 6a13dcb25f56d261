import type { Command } from 'commander'
import { formatPhone } from '../../lib/phone.ts'
import { limitOption, take } from '../arguments.ts'
import { formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'
import { addCsvCommands } from './csv.ts'

export function addContactCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const contacts = program.command('contacts').description('contacts, CSV import and export')
  contacts
    .command('list')
    .description('latest contacts')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
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
    .description('merge contacts that are the same person under two spellings of a number, and remove invalid numbers')
    .action(async () => {
      const { client } = await session()
      const report = await client.contacts.repair.mutate()
      await show(report, () =>
        [
          `${report.checked} contacts with a number checked`,
          `${report.merged} contacts merged`,
          `${report.respelled} numbers rewritten in their current form`,
          `${report.detachedCalls} calls of withheld callers detached from contacts`,
          `${report.numbersDropped} invalid numbers removed, ${report.removed} contacts removed that had nothing else`,
        ].join('\n'),
      )
    })
  addCsvCommands(contacts, 'contacts', cli)
}
