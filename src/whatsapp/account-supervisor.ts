import { type Wake, wake } from '../domain/businesses/index.ts'
import { type DomainContext, within } from '../domain/context.ts'
import {
  accountsWithWork,
  acquireLeases,
  ensureLinks,
  type Lease,
  openCommands,
  releaseLease,
  releaseOrphans,
  renewLeases,
  surplusOf,
} from '../domain/whatsapp/index.ts'
import { errorMessage } from '../lib/errors.ts'
import { waitAtMost } from '../lib/wait-at-most.ts'
import { AccountRunner, type AccountRunnerDeps } from './account-runner.ts'
import { goneProcess } from './owner.ts'

export type SupervisorTiming = {
  leaseMs: number
  renewMs: number
  tickMs: number
  graceMs: number
  surplusMs: number
  /** How long a handover may take. */
  stopMs: number
}

const DEFAULT_TIMING: SupervisorTiming = {
  leaseMs: 30_000,
  renewMs: 10_000,
  tickMs: 1_000,
  graceMs: 3_000,
  // Longer than a dead process is counted as alive.
  surplusMs: 20_000,
  stopMs: 2_500,
}

export type SupervisorOptions = {
  ctx: DomainContext
  /** This process, as named by `nameOwner`. */
  owner: string
  deps: AccountRunnerDeps
  /** Calls back with every payload of `WAKE_CHANNEL`. */
  listen(notify: (payload: string) => void): Promise<() => Promise<void>>
  timing?: Partial<SupervisorTiming>
}

export type AccountSupervisor = {
  held(): string[]
  stop(): Promise<void>
}

/**
 * Holds this process's share of all linked accounts: one socket per account over all processes, by a lease in Postgres. A
 * stopping process hands its accounts over; the accounts of a dead one are taken by the others.
 */
export async function superviseAccounts(options: SupervisorOptions): Promise<AccountSupervisor> {
  const { ctx, owner, deps } = options
  const { log } = deps
  const timing = { ...DEFAULT_TIMING, ...options.timing }
  const runners = new Map<string, AccountRunner>()
  let renewedAt = 0
  let surplusSince: number | null = null
  let stopping = false
  let ticking: Promise<void> = Promise.resolve()
  let failing = false

  const release = async (runner: AccountRunner, wanted: boolean) => {
    await waitAtMost(runner.stop('worker_stopped'), timing.stopMs - 300)
    await releaseLease(ctx, runner.lease, wanted)
    if (runners.get(runner.lease.accountId) === runner) runners.delete(runner.lease.accountId)
  }
  const end = (runner: AccountRunner, wanted: boolean) => {
    void release(runner, wanted).catch((error: unknown) =>
      log.warn({ account: runner.lease.accountId, reason: errorMessage(error) }, 'account lease not released'),
    )
  }
  const open = async (lease: Lease) => {
    const runner = new AccountRunner(within(ctx, lease.businessId), lease, deps, (done) => end(done, false))
    runners.set(lease.accountId, runner)
    log.info({ account: lease.accountId, epoch: lease.epoch }, 'account lease acquired')
    try {
      await runner.start()
    } catch (error) {
      log.error({ account: lease.accountId, reason: errorMessage(error) }, 'account could not be opened')
      await release(runner, true)
    }
  }

  const renew = async () => {
    const held = await renewLeases(ctx, owner, timing)
    renewedAt = Date.now()
    for (const [id, runner] of runners)
      if (!held.has(id)) {
        log.warn({ account: id }, 'account lease lost: another process holds it, or it was deleted')
        runners.delete(id)
        void runner.stop('not_owner')
      }
  }

  const giveAwaySurplus = async () => {
    const surplus = await surplusOf(ctx, owner)
    if (surplus === 0) surplusSince = null
    else if (surplusSince === null) surplusSince = Date.now()
    else if (Date.now() - surplusSince >= timing.surplusMs)
      for (const runner of [...runners.values()].slice(-surplus)) end(runner, true)
  }

  const runTick = async () => {
    if (Date.now() - renewedAt >= timing.renewMs) {
      await renew()
      const freed = await releaseOrphans(ctx, (name) => goneProcess(name, owner))
      if (freed > 0) log.info({ freed }, 'accounts of a dead process released')
      await giveAwaySurplus()
    }
    if (stopping) return
    await Promise.all((await acquireLeases(ctx, owner, timing)).map(open))
    const ids = [...runners.keys()]
    for (const command of await openCommands(ctx, ids)) runners.get(command.accountId)?.command(command)
    for (const id of await accountsWithWork(ctx, ids)) runners.get(id)?.wake()
  }

  const tick = () => {
    ticking = ticking.then(async () => {
      if (stopping) return
      try {
        await runTick()
        if (failing) log.info('account supervision resumed')
        failing = false
      } catch (error) {
        if (!failing) log.error({ reason: errorMessage(error) }, 'account supervision failed')
        failing = true
      }
    })
    return ticking
  }

  await ensureLinks(ctx)
  let asked = false
  const unlisten = await options.listen((payload) => {
    const woken = readWake(payload)
    if (woken?.why === 'outbox') runners.get(woken.accountId)?.wake()
    if (woken?.why !== 'command' || asked) return
    // A tick sees commands and new accounts; many notifications in a moment make one tick.
    asked = true
    setTimeout(() => {
      asked = false
      void tick()
    }, 20)
  })
  await tick()
  const timer = setInterval(() => void tick(), timing.tickMs)

  return {
    held: () => [...runners.keys()],
    async stop() {
      stopping = true
      clearInterval(timer)
      await Promise.allSettled([...runners.values()].map((runner) => release(runner, true)))
      await waitAtMost(unlisten(), 200)
    },
  }
}

function readWake(payload: string): Wake | null {
  try {
    return wake.parse(JSON.parse(payload))
  } catch {
    // Not one of our payloads: the next tick looks at everything anyway.
    return null
  }
}
