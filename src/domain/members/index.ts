export {
  addMember,
  type CreateLogin,
  ensureOwner,
  getMember,
  getUser,
  grantMembership,
  listMembers,
  type MembershipOfUser,
  membershipsOf,
  memberView,
  removeMember,
  setMemberRole,
} from './members.ts'
export { ROLES, type Role, roleReaches, SCOPES, type Scope, scopeReaches } from './roles.ts'
