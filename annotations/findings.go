package annotations

import "github.com/mini-hpa/mini-hpa/annotations/catalog"

// The names of what the checks find: the Origin of a problem and the Rule of a warning. The table behind Findings says what each of them
// means. Lint, metrics and documentation use the names, so they do not change.
const (
	// FoundInvalid: an annotation that cannot be followed.
	FoundInvalid = "InvalidAnnotations"
	// FoundNoMetric: annotations that name nothing to scale on.
	FoundNoMetric = "NoMetric"
	// FoundNothingWakes: a workload that may sleep, and that nothing would wake.
	FoundNothingWakes = "NothingWakes"
	// FoundNothingSaysIdle: a workload that requests wake, and of which nothing says when nobody uses it.
	FoundNothingSaysIdle = "NothingSaysIdle"
	// FoundHeadlessService: a Service whose clients dial pods.
	FoundHeadlessService = "HeadlessService"
	// FoundNoSuchPort: a Service without a port that can be held.
	FoundNoSuchPort = "NoSuchPort"
	// FoundServiceShared: a Service that selects pods of other workloads, too.
	FoundServiceShared = "ServiceShared"
	// FoundServiceConsent: a Service whose requests are not the workload's.
	FoundServiceConsent = "ServiceConsent"
	// FoundMeshedTarget: pods in a service mesh.
	FoundMeshedTarget = "MeshedTarget"
	// FoundNetworkPolicyForbids: a policy that keeps the activator out.
	FoundNetworkPolicyForbids = "NetworkPolicyForbids"
	// FoundUnknownSource: a line asks for a source that is not listed.
	FoundUnknownSource = catalog.UnknownSource
	// FoundUnknownQuery: a line asks for a query that its source does not have.
	FoundUnknownQuery = catalog.UnknownQuery
	// FoundSourceForbidden: a line asks for what the workload's namespace may not ask for.
	FoundSourceForbidden = catalog.SourceForbidden
	// FoundBadParameter: a line lacks a value, gives one that its source does not know, or one that is out of its range.
	FoundBadParameter = catalog.BadParameter
	// FoundMissingRequest: a target is a percentage of a request that is not there.
	FoundMissingRequest = "MissingRequest"
	// FoundInvalidRequest: a request that nothing can be a percentage of.
	FoundInvalidRequest = "InvalidRequest"
	// FoundInvalidField: a field of a manifest that the API server would not take.
	FoundInvalidField = "InvalidField"
	// FoundUnknownContainer: a metric of a container that does not exist.
	FoundUnknownContainer = "UnknownContainer"
	// FoundConflict: another autoscaler scales the workload.
	FoundConflict = "ConflictingAutoscaler"
	// FoundScheduleShadowed: a line of a schedule that never counts.
	FoundScheduleShadowed = "ScheduleShadowed"
	// FoundSchedulePast: a line of a schedule all of whose dates are over.
	FoundSchedulePast = "SchedulePast"
	// FoundLimitBelowMax: a max that no source lets the replicas reach.
	FoundLimitBelowMax = "LimitBelowMax"
	// FoundSourceSilent: a source that has given no value for long.
	FoundSourceSilent = "SourceSilent"
	// FoundNoActivator: requests cannot wake, for want of an activator.
	FoundNoActivator = "NoActivator"
	// FoundServiceMissing: a Service that is not there, or not yet.
	FoundServiceMissing = "ServiceMissing"
	// FoundNotReadyAddresses: a Service that leads to pods before they accept requests.
	FoundNotReadyAddresses = "NotReadyAddresses"
	// FoundNoDrain: pods that end before every node knows of it.
	FoundNoDrain = "NoDrain"
	// FoundNetworkPolicyWidened: a policy that lets in more than it says.
	FoundNetworkPolicyWidened = "NetworkPolicyWidened"
	// FoundLocalTraffic: a Service whose requests stay on their node.
	FoundLocalTraffic = "LocalTraffic"
	// FoundSessionAffinity: a Service whose clients stick to a pod.
	FoundSessionAffinity = "SessionAffinity"
	// FoundUnknownAnnotation: a key with the Prefix that means nothing.
	FoundUnknownAnnotation = "UnknownAnnotation"
	// FoundDoubtful: a value that is likely to mean something else than what was meant.
	FoundDoubtful = "DoubtfulAnnotation"
	// FoundInjected: a container that another webhook puts into the pods.
	FoundInjected = "InjectedContainer"
	// FoundResized: requests that something else changes.
	FoundResized = "ResizedRequest"
	// FoundUnreachable: a target that usage cannot exceed.
	FoundUnreachable = "UnreachableTarget"
	// FoundFixedReplicas: bounds or policies that leave nothing to scale.
	FoundFixedReplicas = "FixedReplicas"
	// FoundUnscalable: an object whose kind has no scale subresource.
	FoundUnscalable = "NotScalable"
	// FoundMisplaced: annotations on the pod template.
	FoundMisplaced = "MisplacedAnnotation"
	// FoundRequestFromLimit: the request is there only because of a limit.
	FoundRequestFromLimit = "RequestFromLimit"
	// FoundRequestFromLimitRange: the request is there only because of a LimitRange.
	FoundRequestFromLimitRange = "RequestFromLimitRange"
	// FoundUnverifiedRequest: a request is missing, and what might supply it could not be read.
	FoundUnverifiedRequest = "UnverifiedRequest"
	// FoundNoTemplate: requests that cannot be checked, because there is no pod template.
	FoundNoTemplate = "NoPodTemplate"
	// FoundDeletedClaims: scaling in deletes volume claims, and what is on them.
	FoundDeletedClaims = "DeletedClaims"
	// FoundObservedAutoscaler: another autoscaler scales the workload, and mini-hpa only watches.
	FoundObservedAutoscaler = "ObservedAutoscaler"
	// FoundReplicasOverwritten: an update sets the replicas of an autoscaled workload.
	FoundReplicasOverwritten = "ReplicasOverwritten"
	// FoundUnchanged: a problem that an update leaves as it was.
	FoundUnchanged = "UnchangedProblem"
	// FoundRolledBack: a problem that a rollback brings back.
	FoundRolledBack = "RolledBackProblem"
	// FoundInner: a problem of an object that another one controls, which may be scaled in its place.
	FoundInner = "InnerObject"
	// FoundUnchecked: an object that could not be looked at.
	FoundUnchecked = "Unchecked"
)

// Finding is one row of the table of what the checks can find.
type Finding struct {
	// Name is one of the constants.
	Name string
	// Denies says that it is a problem: admission refuses it, unless it is FoundConflict, and the controller does not scale. Anything else
	// is a warning.
	Denies bool
	// When says what is found, Fix what to do about it; both are one line of Markdown.
	When, Fix string
}

// Findings returns the table, problems first.
func Findings() []Finding {
	return []Finding{
		{FoundInvalid, true, "An annotation's value cannot be read, is out of its limits, or contradicts another one.",
			"The message says what is allowed; [annotations.md](annotations.md) has all of it."},
		{FoundNoMetric, true, "There are `mini-hpa/` annotations, but none that names something to scale on.",
			"Set `mini-hpa/target-cpu`, `mini-hpa/target-memory`, `mini-hpa/sources`, `mini-hpa/metrics` or `mini-hpa/schedule`, or remove the others."},
		{FoundNothingWakes, true, "`mini-hpa/min` is 0, and nothing would wake the workload: only a source, an External or an Object metric has a value while there are no pods, and scale-up must not be disabled.",
			"Set `mini-hpa/min` to 1, or add a line to `mini-hpa/sources`, such a metric to `mini-hpa/metrics`, or a line with a `min` above 0 to `mini-hpa/schedule`, or let requests wake it (`mini-hpa/wake`)."},
		{FoundNothingSaysIdle, true, "`mini-hpa/wake` lets requests wake a workload that may sleep, and nothing says when nobody uses it any more: while there are pods, requests go to them and not through the activator. CPU does not say it, as a process that has nothing to do uses some.",
			"Add a line to `mini-hpa/sources` that counts requests, such as those of the ingress; it needs no target. Or an External or Object metric, or `path=always`, with which all requests go through the activator."},
		{FoundHeadlessService, true, "A Service whose requests are to wake the workload (`mini-hpa/wake`) is headless (`clusterIP: None`). Its clients get the addresses of pods from the DNS and dial the pods' port; of an activator they would dial the same port, where it does not listen.",
			"Give the Service a cluster IP, or name others with `service=`."},
		{FoundNoSuchPort, true, "A Service whose requests are to wake the workload has no port of TCP, or is of type `ExternalName`, which is a name in the DNS and nothing else.",
			"Name another Service with `service=`."},
		{FoundServiceShared, true, "A Service whose requests are to wake the workload selects the pods of another workload, too: it has endpoints while this one sleeps, or a request may be for either.",
			"Narrow the selector. Or name the Service with `service=`, if the other workload does not sleep and its pods may serve what comes meanwhile."},
		{FoundServiceConsent, true, "A Service that `service=` names is not the workload's: its selector does not fit the pod template, or it has none and does not name the workload in its annotation `mini-hpa/activator`; or `path=always` is set, and it has a selector, so that requests go past the activator. " +
			"Without this rule whoever may write a workload could take over the requests of any Service without a selector, such as those for a database outside of the cluster ([security.md](security.md#threats-through-the-activator)).",
			"Write what the message says into the Service."},
		{FoundMeshedTarget, true, "The pods of a workload that requests wake are in a service mesh. Where it demands mTLS, it refuses the activator, which is not in the mesh.",
			"Take the workload out of the mesh, or let something else wake it."},
		{FoundNetworkPolicyForbids, true, "The NetworkPolicies of the namespace do not let the activator's namespace in to the pods, so that the requests which it holds would never get there.",
			"Allow the namespace of mini-hpa in (`namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mini-hpa}}`), and read [NetworkPolicyWidened](#networkpolicywidened)."},
		{FoundUnknownSource, true, "A line of `mini-hpa/sources` begins with a name that the administrator's list of sources does not have.",
			"The message has the nearest name. A source that the administrator takes away is a problem only of changes to its line; the controller holds the replicas and says so."},
		{FoundUnknownQuery, true, "The source has no query of the name that the line gives, or the line gives none, or the source has none.", "The message has the nearest name."},
		{FoundSourceForbidden, true, "The administrator's list does not allow this source, or what the line asks of it, for the workload's namespace.", "Ask the administrator: `namespaces` and `allow` of the source say who may ask for what. A message does not say what others may."},
		{FoundBadParameter, true, "A line lacks a value that its source needs, gives one that the source does not know, or one that is out of its range.", "Write it as the message says."},
		{FoundMissingRequest, true, "The target is a percentage of the request, and a container (an ordinary one or a sidecar, that is an init " +
			"container with `restartPolicy: Always`) has neither a request nor a limit, nor does the pod as a whole, nor does a LimitRange of the namespace supply one.",
			"Set the field that the message names, or hold an amount (`mini-hpa/target-cpu: 250m`), which needs no request, or measure " +
				"only a container that has one (`mini-hpa/container`)."},
		{FoundInvalidRequest, true, "The target is a percentage of the request, and the request (or the limit that stands for it) is zero, or beyond any machine: " +
			"more than a million CPUs or 1Pi of memory. Numbers like `1e20` or `8Ei` pass the API server and wrap around to zero or below where usage is divided by them.",
			"Set a request above zero; an explicit `\"0\"` is not replaced by any default."},
		{FoundUnknownContainer, true, "`mini-hpa/container`, or a metric of type `ContainerResource`, names a container that the pod template does not have, " +
			"and that nothing says is injected, or an init container that ends before the others start.", "Use one of the names that the message lists."},
		{FoundInvalidField, true, "`mini-hpa lint` only: a field of a manifest has a value that the API server does not take, such as a number where a string belongs, or a version that has no such workload; or a name is twice in a mapping (as where `---` is missing between two objects), of which kubectl keeps the last one without a word, and which kustomize refuses. " +
			"Everything else in the object is looked at all the same. In an object that asks nothing of mini-hpa, such as a LimitRange, it is a warning, and in another workload nothing.", "Write it as the message says; the API server would refuse the whole object."},
		{FoundUnscalable, true, "`mini-hpa lint` only: an object has `mini-hpa/` annotations, and the CustomResourceDefinition of its kind is among the manifests and has no scale subresource, or its objects are in no namespace.",
			"Add `subresources.scale` to the version of the CustomResourceDefinition that is stored, or remove the annotations."},
		{FoundConflict, true, "A HorizontalPodAutoscaler or a KEDA ScaledObject has this workload for its target. Two autoscalers would undo each other's writes. " +
			"Admission only warns, because a release that replaces an HPA changes the workload before it deletes the HPA; the controller leaves the workload alone until the other one is gone, " +
			"and then goes on from the replicas that are there. So does `mini-hpa lint --server-side` of one that only the cluster has; of two in the manifests one is too many.",
			"Delete the other one: [migrate.md](migrate.md). To compare first, set `mini-hpa/mode: observe`: mini-hpa then decides and tells, but does not write."},
		{FoundScheduleShadowed, false, "A line of `mini-hpa/schedule` never counts, because lines above it cover all of its hours.", "Move it up: the first line that fits counts. Or remove it."},
		{FoundSchedulePast, false, "All dates of a line of `mini-hpa/schedule` are over.", "Remove it, or set the dates of the next time."},
		{FoundLimitBelowMax, false, "All that the workload is scaled on are lines of `mini-hpa/sources`, and what their sources limit them to, such as the partitions of a topic, is less than `mini-hpa/max`. That is known from the last answers: " +
			"the controller tells it, and `explain`, but neither admission nor `mini-hpa lint`.", "Lower `mini-hpa/max`, or raise the limit, with more partitions for one; `cap=none` lifts that of a topic."},
		{FoundSourceSilent, false, "A line of `mini-hpa/sources` has had no value for 3 minutes. The controller tells it, and `explain` that there is none now; admission and `mini-hpa lint` ask nobody.",
			"The message, and under its id the controller's log, says why. `mini-hpa/fallback` keeps replicas meanwhile."},
		{FoundNoActivator, false, "`mini-hpa/wake` is set, and the administrator has not switched the activator on. The metric `activator@requests` fails, so that the workload is not put to sleep.",
			"Set `activator.enabled` of the chart."},
		{FoundServiceMissing, false, "A Service that `mini-hpa/wake` names is not there, or no Service selects the pods. It may come later. Until then the workload is not put to sleep.", "Apply it, or correct the name."},
		{FoundNotReadyAddresses, false, "A Service whose requests are to wake the workload has `publishNotReadyAddresses`: it leads to pods before they accept requests, also while the activator holds those. The workload is not put to sleep.",
			"Take it out of the Service, or give requests a Service of their own (`service=`)."},
		{FoundNoDrain, false, "A container of a workload that requests wake has no `lifecycle.preStop`, or ends before every node knows that it does (10 s; `--activator-propagation`). Requests that a node still sends to the last pod when the workload is put to sleep are lost.",
			"Set `lifecycle: {preStop: {sleep: {seconds: 10}}}` (Kubernetes 1.30 and later), and a `terminationGracePeriodSeconds` that is longer than that and the longest request together."},
		{FoundNetworkPolicyWidened, false, "A NetworkPolicy lets the activator in to the pods. While it passes requests on, pods see the activator as their client, so that everybody who can reach the Service gets in, whatever the policy says of them.",
			"Nothing, if the Service is meant for everybody who can reach it. Otherwise let something else wake the workload."},
		{FoundLocalTraffic, false, "A Service whose requests wake the workload has `externalTrafficPolicy` or `internalTrafficPolicy: Local`: each node sends requests to activators of its own only.",
			"Run the activator as a DaemonSet (`activator.kind`)."},
		{FoundSessionAffinity, false, "A Service whose requests wake the workload has `sessionAffinity: ClientIP`. While the workload sleeps, it is to an activator.",
			"Nothing, unless a session must stay on one pod from its first request on."},
		{FoundUnknownAnnotation, false, "A key begins with `mini-hpa/` and means nothing, or, for `mini-hpa lint`, was meant to, such as `minihpa/max` or `mini-hpa.io/max`.", "The message names the nearest key that does; it may be a slip."},
		{FoundDoubtful, false, "A value works, but is likely not to mean what was meant: blanks around it, a percentage above 1000 (of memory: 100) without its sign, the same metric twice, a container without a target, memory in milli-bytes (`128m`), an amount that is no whole number of thousandths (`100u`), which counts as the next larger one, as with an HPA, an amount of CPU of 10 cores or more that is more than 10 times the request.",
			"Write it as the message says."},
		{FoundInjected, false, "`mini-hpa/container` or a metric names a container that the pod template lacks but that may be injected: the labels or annotations of the template announce it, or a label of the " +
			"namespace does, or the pods have it, or it is a well-known one such as `istio-proxy`. Or a container is a placeholder for one that is injected (`image: auto`), and has no request.",
			"Nothing, if that is so. While pods lack the container, the metric fails and replicas are held."},
		{FoundResized, false, "A VerticalPodAutoscaler changes the requests that the target is a percentage of: it makes them what usage is, and so undoes what the replicas are for.",
			"Set its `updateMode: \"Off\"` (it still recommends; in quotes, as `Off` without them is false in YAML, and the API server refuses that), take the resource out of its `controlledResources`, or hold an amount, which needs no request."},
		{FoundUnreachable, false, "Usage cannot exceed the target, because the containers' limits are below it, or within the tolerance of it. Such a target never adds a replica.",
			"Lower the target, or raise the limit, as the numbers in the message say. Limits of LimitRanges and of the pod as a whole count; of a pod into which containers are injected nothing is known."},
		{FoundFixedReplicas, false, "`mini-hpa/min` equals `mini-hpa/max`, or scaling is disabled both up and down.", "Raise `mini-hpa/max`, or allow one of the directions, unless this is meant."},
		{FoundMisplaced, false, "A `mini-hpa/` annotation is where nothing reads it: on the pod template or, for `mini-hpa lint`, on an object of another kind, among the labels, " +
			"in a field that is misspelt, or in what writes to everything: `commonAnnotations` of kustomize and Argo CD, `commonMetadata` of Flux (told once, however many objects have it).",
			"Move it to the annotations of the workload itself. Deployments, StatefulSets and ReplicaSets are autoscaled, and custom kinds that mini-hpa is told of (`controller.kinds` of the chart)."},
		{FoundRequestFromLimit, false, "A container has a limit but no request. Kubernetes copies the limit into the request of each pod, so the target is a percentage of the limit.",
			"Set the request to what the container usually needs."},
		{FoundRequestFromLimitRange, false, "A container has no request of its own; a LimitRange of the namespace supplies one.",
			"Set the request: whoever removes the LimitRange also stops the autoscaling."},
		{FoundUnverifiedRequest, false, "A container has no request, and the LimitRanges of the namespace could not be read.",
			"Set the request, or let mini-hpa read LimitRanges."},
		{FoundNoTemplate, false, "The target is a percentage of requests, or of one container, and the object has no `spec.template` with containers, as many custom resources, a Rollout with `workloadRef`, and a manifest that is to be merged into another one, as `mini-hpa migrate` writes it. " +
			"What its pods will request is not known when it is stored, so that nothing about requests is refused.",
			"Nothing, if its pods have requests: the controller checks those of the pods that there are, and holds the replicas while one is missing. An amount (`mini-hpa/target-cpu: 250m`) needs none."},
		{FoundDeletedClaims, false, "A StatefulSet with `spec.volumeClaimTemplates` has `whenScaled: Delete` in `spec.persistentVolumeClaimRetentionPolicy`: each time that it is scaled in, the claims of the pods that go are deleted, and with most storage classes all that is on their volumes.",
			"Nothing, if the volumes hold only what can be made anew, such as a cache. Otherwise set `whenScaled: Retain`."},
		{FoundObservedAutoscaler, false, "Another autoscaler has this workload for its target, but `mini-hpa/mode` is `observe` or `paused`, or the other one is a ScaledObject that is paused (`autoscaling.keda.sh/paused`).",
			"Nothing for as long as you compare; delete the other one before you set the mode to `auto`, or before somebody resumes it."},
		{FoundReplicasOverwritten, false, "An update (not a scale) changes `spec.replicas` of an autoscaled workload, as `kubectl apply` does with a manifest that has the field, or had it until now. `mini-hpa lint` tells of the field in a manifest. " +
			"0 and changes from 0 are left out: they pause and resume autoscaling.",
			"Leave `spec.replicas` out of the manifest; [install.md](install.md#who-owns-specreplicas) has what each tool does when the field goes, and how it goes without a moment at 1 replica."},
		{FoundUnchanged, false, "The workload has a problem, and had it before this update, though perhaps hidden by another one or under another name of its container.", "Fix the problem: mini-hpa does not scale the workload until then."},
		{FoundRolledBack, false, "The update is a rollback: it sets the pod template to one that the workload has had before, and that revision had the problem, too; or a request went missing, and `revisionHistoryLimit` is 0, so that nobody knows what there was before.",
			"Fix it after the incident; until then the replicas stay as they are."},
		{FoundInner, false, "The object has a problem, and another object of a kind that mini-hpa scales controls it. If that one is annotated, it is the workload, and this one is not scaled by itself; its controller may only have copied the annotations, and must be able to make the object.",
			"Nothing, if the annotations are copies. Otherwise fix the problem: mini-hpa does not scale the object until then."},
		{FoundUnchecked, false, "The object is too large or too deep to be read safely, or (for `mini-hpa explain`) other autoscalers may not be listed, or (for `mini-hpa lint`) `--kinds` names a kind whose CustomResourceDefinition is not among the files.", "The controller looks at it again before it scales."},
	}
}
