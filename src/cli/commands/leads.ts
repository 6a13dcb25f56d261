import type { Command } from 'commander'
import { formatPhone } from '../../lib/phone.ts'
import { limitOption, take } from '../arguments.ts'
import { formatTable, formatTime, shorten } from '../output.ts'
import type { Cli } from '../session.ts'
import { addCsvCommands } from './csv.ts'

export function addLeadCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const leads = program.command('leads').description('leads, CSV import and export')
  leads
    .command('list')
    .description('latest leads')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
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

  addCsvCommands(leads, 'leads', cli)
}
