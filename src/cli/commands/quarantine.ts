import type { Command } from 'commander'
import { formatTable, formatTime, shorten } from '../output.ts'
import type { Cli } from '../session.ts'

export function addQuarantineCommands(program: Command, { show, session }: Cli): void {
  const quarantine = program.command('quarantine').description('events that could not be stored')
  quarantine
    .command('list')
    .description('quarantined events and their reasons')
    .option('--cursor <cursor>', 'the next page, as printed at the end of a page')
    .action(async ({ cursor }: { cursor?: string }) => {
      const { client } = await session()
      const page = await client.quarantine.list.query(cursor ? { cursor } : {})
      await show(page, () =>
        [
          formatTable(
            ['since', 'job', 'tries', 'bytes', 'why', 'id'],
            page.items.map((row) => [
              formatTime(row.createdAt),
              row.job,
              String(row.attempts),
              row.cutFrom === null ? String(row.bytes) : `${row.bytes} of ${row.cutFrom}`,
              shorten(row.reason, 60),
              row.id,
            ]),
          ),
          ...(page.nextCursor ? [`next page: --cursor ${page.nextCursor}`] : []),
        ].join('\n'),
      )
    })
  quarantine
    .command('show')
    .description('one event with its content')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      const row = await client.quarantine.get.query({ id })
      await show(row, () =>
        [
          `job:     ${row.job}`,
          `key:     ${row.key}`,
          `since:   ${formatTime(row.createdAt)}`,
          `tries:   ${row.attempts}`,
          `why:     ${row.reason}`,
          `content: ${row.content}`,
        ].join('\n'),
      )
    })
  quarantine
    .command('retry')
    .description('store an event again')
    .argument('[id]', 'default: every quarantined event')
    .action(async (id: string | undefined) => {
      const { client } = await session()
      const { quarantine } = client
      const { count } = await (id ? quarantine.retry.mutate({ id }) : quarantine.retryAll.mutate())
      await show({ count }, () => `${count} events queued again`)
    })
  quarantine
    .command('drop')
    .description('delete an event')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      await client.quarantine.drop.mutate({ id })
      await show({ ok: true }, () => 'deleted')
    })
}
