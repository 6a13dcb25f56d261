import { Argument, type Command } from 'commander'
import { QUEUES, type QueueName } from '../../jobs/registry.ts'
import { openAsker } from '../ask.ts'
import { UsageError } from '../exit.ts'
import { formatTable, formatTime, shorten } from '../output.ts'
import type { Cli } from '../session.ts'

const queueArgument = () => new Argument('<queue>').choices(QUEUES)

export function addQueueCommands(program: Command, { show, session }: Cli): void {
  const queue = program.command('queue').description('background jobs')
  queue
    .command('list')
    .description('waiting, active and failed jobs of every queue')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.system.queues.query()
      await show(items, () =>
        formatTable(
          ['queue', 'waiting', 'active', 'delayed', 'failed', 'oldest'],
          items.map((row) => [
            row.name,
            String(row.waiting),
            String(row.active),
            String(row.delayed),
            String(row.failed),
            row.oldestWaitingMs === null ? '' : `${Math.round(row.oldestWaitingMs / 1_000)}s`,
          ]),
        ),
      )
    })
  queue
    .command('failed')
    .description('failed jobs and their reasons')
    .addArgument(queueArgument())
    .action(async (name: QueueName) => {
      const { client } = await session()
      const { items } = await client.system.failedJobs.query({ queue: name })
      await show(items, () =>
        formatTable(
          ['failed', 'job', 'tries', 'why', 'id'],
          items.map((row) => [
            formatTime(row.failedAt),
            row.name,
            String(row.attempts),
            shorten(row.reason, 60),
            row.id,
          ]),
        ),
      )
    })
  queue
    .command('retry')
    .description('retry failed jobs')
    .addArgument(queueArgument())
    .argument('[job]', 'default: every failed job of the queue')
    .action(async (name: QueueName, jobId: string | undefined) => {
      const { client } = await session()
      const { count } = await client.system.retryJobs.mutate({ queue: name, ...(jobId ? { jobId } : {}) })
      await show({ count }, () => `${count} jobs queued again`)
    })
  queue
    .command('drain')
    .description('delete the waiting jobs')
    .addArgument(queueArgument())
    .option('--delayed', 'delete the delayed jobs as well')
    .option('--yes', 'do not ask for confirmation')
    .action(async (name: QueueName, { delayed, yes }: { delayed?: boolean; yes?: boolean }) => {
      const { client } = await session()
      if (!yes) await confirm(`Delete the waiting jobs of the queue ${name}?`)
      const { count } = await client.system.drainQueue.mutate({ queue: name, delayed: delayed ?? false })
      await show({ count }, () => `${count} jobs deleted`)
    })
}

/** Asks the person at the terminal. @throws UsageError when there is no terminal, or the answer is no */
async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) throw new UsageError('Confirmation is needed and there is no terminal. Add --yes.')
  const asker = openAsker()
  const answer = await asker.ask(`${question} [y/N] `).finally(asker.close)
  if (!/^y(es)?$/i.test(answer)) throw new UsageError('The command was cancelled. Nothing was changed.')
}
