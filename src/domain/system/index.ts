export { beat, leave, type ProcessKind, processesAlive } from './heartbeats.ts'
export { usersExist } from './users.ts'
