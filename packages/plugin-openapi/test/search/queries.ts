/**
 * What people and agents ask for, and the tool that they mean: the table that `tools.search` is measured by.
 *
 * Written before the ranking was, from the questions and not from the documents. Do not reword a query because it ranks badly:
 * the table then measures nothing.
 */

/** One line of the table. */
export interface WantedTool {
  readonly integration: "github" | "stripe"
  readonly query: string
  /** The tool's name; several where each of them does what is asked. */
  readonly wanted: ReadonlyArray<string>
}

/** See the file's header. */
export const queries: ReadonlyArray<WantedTool> = [
  { integration: "github", query: "create an issue", wanted: ["issues.create"] },
  { integration: "github", query: "add a comment to an issue", wanted: ["issues.createComment"] },
  { integration: "github", query: "list open pull requests of a repo", wanted: ["pulls.list"] },
  { integration: "github", query: "merge pull request", wanted: ["pulls.merge"] },
  { integration: "github", query: "who is the authenticated user", wanted: ["users.getAuthenticated"] },
  { integration: "github", query: "fork a repo", wanted: ["repos.createFork"] },
  { integration: "github", query: "star a repository", wanted: ["activity.starRepoForAuthenticatedUser"] },
  { integration: "github", query: "search code", wanted: ["search.code"] },
  { integration: "github", query: "commit history of a branch", wanted: ["repos.listCommits"] },
  {
    integration: "github",
    query: "compareCommits",
    wanted: ["repos.compareCommits", "repos.compareCommitsWithBasehead"],
  },
  { integration: "github", query: "publish a new release", wanted: ["repos.createRelease"] },
  { integration: "github", query: "upload a file to a release", wanted: ["repos.uploadReleaseAsset"] },
  { integration: "github", query: "trigger a workflow manually", wanted: ["actions.createWorkflowDispatch"] },
  { integration: "github", query: "cancel workflow run", wanted: ["actions.cancelWorkflowRun"] },
  { integration: "github", query: "request a review from someone on a PR", wanted: ["pulls.requestReviewers"] },
  { integration: "github", query: "read a file from a repository", wanted: ["repos.getContent"] },
  { integration: "github", query: "protect a branch", wanted: ["repos.updateBranchProtection"] },
  { integration: "github", query: "invite someone to the organization", wanted: ["orgs.createInvitation"] },
  {
    integration: "github",
    query: "set an actions secret on a repository",
    wanted: ["actions.createOrUpdateRepoSecret"],
  },
  { integration: "github", query: "delete a branch", wanted: ["git.deleteRef"] },
  { integration: "stripe", query: "create a customer", wanted: ["PostCustomers"] },
  { integration: "stripe", query: "find a customer by email", wanted: ["GetCustomersSearch", "GetCustomers"] },
  { integration: "stripe", query: "refund a payment", wanted: ["PostRefunds"] },
  { integration: "stripe", query: "create a payment intent", wanted: ["PostPaymentIntents"] },
  { integration: "stripe", query: "capture a payment intent", wanted: ["PostPaymentIntentsIntentCapture"] },
  {
    integration: "stripe",
    query: "cancel a subscription",
    wanted: ["DeleteSubscriptionsSubscriptionExposedId"],
  },
  { integration: "stripe", query: "list unpaid invoices of a customer", wanted: ["GetInvoices"] },
  { integration: "stripe", query: "send an invoice", wanted: ["PostInvoicesInvoiceSend"] },
  { integration: "stripe", query: "create a checkout session", wanted: ["PostCheckoutSessions"] },
  { integration: "stripe", query: "current account balance", wanted: ["GetBalance"] },
  { integration: "stripe", query: "list recent payouts", wanted: ["GetPayouts"] },
  { integration: "stripe", query: "add a price to a product", wanted: ["PostPrices"] },
  { integration: "stripe", query: "create a coupon", wanted: ["PostCoupons"] },
  {
    integration: "stripe",
    query: "attach a payment method to a customer",
    wanted: ["PostPaymentMethodsPaymentMethodAttach"],
  },
  { integration: "stripe", query: "register a webhook endpoint", wanted: ["PostWebhookEndpoints"] },
  { integration: "stripe", query: "respond to a dispute", wanted: ["PostDisputesDispute"] },
  { integration: "stripe", query: "void an invoice", wanted: ["PostInvoicesInvoiceVoid"] },
  { integration: "stripe", query: "create payment link", wanted: ["PostPaymentLinks"] },
  { integration: "stripe", query: "customer billing portal session", wanted: ["PostBillingPortalSessions"] },
  { integration: "stripe", query: "transfer money to a connected account", wanted: ["PostTransfers"] },
]
