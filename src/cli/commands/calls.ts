import type { Command } from 'commander'
import { formatPhone } from '../../lib/phone.ts'
import { limitOption, take } from '../arguments.ts'
import { describeTurns } from '../describe-call.ts'
import { formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

export function addCallsCommands(program: Command, { session, show }: Cli): void {
  const calls = program.command('calls').description('calls and their transcripts')
  calls
    .command('list')
    .description('latest calls')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
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
}
