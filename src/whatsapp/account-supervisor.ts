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
import type { Logger } from '../lib/log.ts'
import { waitAtMost } from '../lib/wait-at-most.ts'
import { AccountRunner, type AccountRunnerDeps } from './account-runner.ts'
import { goneProcess } from './owner.ts'

export type SupervisorTiming = {
  leaseMs: number
  renewMs: number
  tickMs: number
  graceMs: number
  surplusMs: number
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
 * Holds this process's share of accounts by leases: one socket each. Stopping hands over; those of dead processes are taken.
 */
export async function superviseAccounts(options: SupervisorOptions): Promise<AccountSupervisor> {
  const supervisor = new Supervisor(options)
  await supervisor.start()
  return { held: () => supervisor.held(), stop: () => supervisor.stop() }
}

class Supervisor {
  private readonly options: SupervisorOptions
  private readonly log: Logger
  private readonly timing: SupervisorTiming
  private readonly runners = new Map<string, AccountRunner>()
  private renewedAt = 0
  private surplusSince: number | null = null
  private stopping = false
  private ticking: Promise<void> = Promise.resolve()
  private failing = false
  private asked = false
  private timer: Timer | undefined
  private unlisten: () => Promise<void> = async () => {}

  constructor(options: SupervisorOptions) {
    this.options = options
    this.log = options.deps.log
    this.timing = { ...DEFAULT_TIMING, ...options.timing }
  }

  async start(): Promise<void> {
    await ensureLinks(this.options.ctx)
    this.unlisten = await this.options.listen((payload) => this.onWake(payload))
    await this.tick()
    this.timer = setInterval(() => void this.tick(), this.timing.tickMs)
  }

  held(): string[] {
    return [...this.runners.keys()]
  }

  async stop(): Promise<void> {
    this.stopping = true
    clearInterval(this.timer)
    await Promise.allSettled([...this.runners.values()].map((runner) => this.release(runner, true)))
    await waitAtMost(this.unlisten(), 200)
  }

  private onWake(payload: string): void {
    const woken = readWake(payload)
    if (woken?.why === 'outbox') this.runners.get(woken.accountId)?.wake()
    if (woken?.why !== 'command' || this.asked) return
    // A tick sees commands and new accounts; many notifications in a moment make one tick.
    this.asked = true
    setTimeout(() => {
      this.asked = false
      void this.tick()
    }, 20)
  }

  private tick(): Promise<void> {
    this.ticking = this.ticking.then(async () => {
      if (this.stopping) return
      try {
        await this.runTick()
        if (this.failing) this.log.info('account supervision resumed')
        this.failing = false
      } catch (error) {
        if (!this.failing) this.log.error({ reason: errorMessage(error) }, 'account supervision failed')
        this.failing = true
      }
    })
    return this.ticking
  }

  private async runTick(): Promise<void> {
    const { ctx, owner } = this.options
    if (Date.now() - this.renewedAt >= this.timing.renewMs) {
      await this.renew()
      const freed = await releaseOrphans(ctx, (name) => goneProcess(name, owner))
      if (freed > 0) this.log.info({ freed }, 'accounts of a dead process released')
      await this.giveAwaySurplus()
    }
    if (this.stopping) return
    const acquired = await acquireLeases(ctx, owner, this.timing)
    await Promise.all(acquired.map((lease) => this.open(lease)))
    const ids = this.held()
    for (const command of await openCommands(ctx, ids)) this.runners.get(command.accountId)?.command(command)
    for (const id of await accountsWithWork(ctx, ids)) this.runners.get(id)?.wake()
  }

  private async renew(): Promise<void> {
    const held = await renewLeases(this.options.ctx, this.options.owner, this.timing)
    this.renewedAt = Date.now()
    for (const [id, runner] of this.runners)
      if (!held.has(id)) {
        this.log.warn({ account: id }, 'account lease lost: another process holds it, or it was deleted')
        this.runners.delete(id)
        void runner.stop('not_owner')
      }
  }

  private async giveAwaySurplus(): Promise<void> {
    const surplus = await surplusOf(this.options.ctx, this.options.owner)
    if (surplus === 0) this.surplusSince = null
    else if (this.surplusSince === null) this.surplusSince = Date.now()
    else if (Date.now() - this.surplusSince >= this.timing.surplusMs)
      for (const runner of [...this.runners.values()].slice(-surplus)) this.end(runner, true)
  }

  private async open(lease: Lease): Promise<void> {
    const { ctx, deps } = this.options
    const runner = new AccountRunner(within(ctx, lease.businessId), lease, deps, (done) => this.end(done, false))
    this.runners.set(lease.accountId, runner)
    this.log.info({ account: lease.accountId, epoch: lease.epoch }, 'account lease acquired')
    try {
      await runner.start()
    } catch (error) {
      this.log.error({ account: lease.accountId, reason: errorMessage(error) }, 'account could not be opened')
      await this.release(runner, true)
    }
  }

  private end(runner: AccountRunner, wanted: boolean): void {
    this.release(runner, wanted).catch((error: unknown) =>
      this.log.warn({ account: runner.lease.accountId, reason: errorMessage(error) }, 'account lease not released'),
    )
  }

  private async release(runner: AccountRunner, wanted: boolean): Promise<void> {
    await waitAtMost(runner.stop('worker_stopped'), this.timing.stopMs - 300)
    await releaseLease(this.options.ctx, runner.lease, wanted)
    if (this.runners.get(runner.lease.accountId) === runner) this.runners.delete(runner.lease.accountId)
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
