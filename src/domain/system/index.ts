export { beat, leave, type ProcessKind, processesAlive } from './heartbeats.ts'
