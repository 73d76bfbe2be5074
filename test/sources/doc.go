// Package sources asks real servers what the product's sources ask (scaler/sources), by their clients: programs of the distribution that a test
// starts on the loopback address, and brokers in this process. So they can be stopped, made to hang and be counted at.
package sources
