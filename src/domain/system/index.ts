export { beat, leave, type ProcessKind, processesAlive, processId } from './heartbeats.ts'
export { usersExist } from './users.ts'
