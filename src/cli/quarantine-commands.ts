import type { Command } from 'commander'
import { formatTable, formatTime, shorten } from './output.ts'
import type { Cli } from './session.ts'

/** `quarantine`: what could not be stored after several tries. */
export function addQuarantineCommands(program: Command, { show, session }: Cli): void {
  const quarantine = program.command('quarantine').description('what could not be stored, with its bytes')
  quarantine
    .command('list')
    .description('what is set aside, and why')
    .option('--cursor <cursor>', 'the next page, as the page before names it')
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
          ...(page.nextCursor ? [`more: --cursor ${page.nextCursor}`] : []),
        ].join('\n'),
      )
    })
  quarantine
    .command('show')
    .description('one of them with its content')
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
    .description('have it stored once more')
    .argument('[id]', 'left out, everything that is set aside')
    .action(async (id: string | undefined) => {
      const { client } = await session()
      const { quarantine } = client
      const { count } = await (id ? quarantine.retry.mutate({ id }) : quarantine.retryAll.mutate())
      await show({ count }, () => `${count} given another chance`)
    })
  quarantine
    .command('drop')
    .description('throw it away')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      await client.quarantine.drop.mutate({ id })
      await show({ ok: true }, () => 'thrown away')
    })
}
