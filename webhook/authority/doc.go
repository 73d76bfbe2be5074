// Package authority keeps the certificates of the admission webhook.
//
// One Secret holds the CA that all replicas share. Every replica issues itself a short-lived leaf, which is in memory and
// nowhere else, and any replica writes the CAs to trust into the caBundle of the ValidatingWebhookConfiguration. Nothing
// is elected: writers are ordered by the resource versions of the two objects, and who loses reads again and adopts.
//
// A CA is replaced long before its end, in three phases, so that at every moment every leaf that is served is trusted:
//
//	life of a CA   0 --------- 1/2 --------- 2/3 ------------------ 1
//	ca.crt         | this CA   | this CA     | the new one
//	next.crt       |           | the new one |
//	previous.crt   |           |             | this CA              | nothing
//	caBundle       | this CA   | both        | both                 | the new one
//	leaves         | this CA's | this CA's   | the new one's
//
// All moments derive from the certificates themselves. The one thing remembered beside them is since when this process
// has seen a CA in the live caBundle: the API server must have had time to see it too before a leaf depends on it.
//
// Deleting the Secret means to rotate now: the CA comes back from the memory of some replica together with a new one,
// which takes over as soon as it is known. A former CA is trusted until it expires; to end that sooner, remove
// previous.crt once the new CA signs.
//
// The rules are in decide, a function of values. What is around it reads the two objects, does the one thing that decide
// says, and asks again.
package authority
