package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// How a feature's level may change (KIP-584, KIP-778).
const (
	upgradeOnly     = 1
	safeDowngrade   = 2
	unsafeDowngrade = 3
)

// handleUpdateFeatures checks a change of features' levels as Kafka does. The levels themselves are fixed: a change is refused, one failed update fails all.
func handleUpdateFeatures(r *request) answer {
	req := r.msg.(*kmsg.UpdateFeaturesRequest)
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	if !r.allowsCluster(kmsg.ACLOperationAlter) {
		resp.ErrorCode, resp.ErrorMessage = codeOf(clusterDenied(kmsg.ACLOperationAlter))
		return answer{resp: resp}
	}
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		kind := u.UpgradeType
		if req.Version == 0 {
			kind = upgradeOnly
			if u.AllowDowngrade {
				kind = safeDowngrade
			}
		}
		if err := checkFeature(r.node.id, u.Feature, u.MaxVersionLevel, kind, req.ValidateOnly); err != nil {
			resp.ErrorCode, resp.ErrorMessage = codeOf(codef(kerr.InvalidUpdateVersion,
				"The update failed for all features since the following feature had an error: %v", err))
			resp.Results = nil
			return answer{resp: resp}
		}
		if req.Version < 2 {
			res := kmsg.NewUpdateFeaturesResponseResult()
			res.Feature, res.ErrorMessage = u.Feature, kmsg.StringPtr("NONE")
			resp.Results = append(resp.Results, res)
		}
	}
	return answer{resp: resp}
}

func checkFeature(node int32, name string, level int16, kind int8, validateOnly bool) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("Invalid update version %d for feature %s. %s", level, name, fmt.Sprintf(format, args...))
	}
	for _, f := range features {
		if f.name != name {
			continue
		}
		switch down := level < f.level; {
		case kind < upgradeOnly || kind > unsafeDowngrade:
			return wrong("The controller does not support the given upgrade type.")
		case level < 0:
			return wrong("A feature version cannot be less than 0.")
		case level != 0 && level < f.supported[0] || level > f.supported[1]:
			return wrong("Local controller %d only supports versions %d-%d", node, f.supported[0], f.supported[1])
		case down && kind == upgradeOnly:
			return wrong("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
		case down && name == "metadata.version" && kind == safeDowngrade:
			return fmt.Errorf("Unsupported metadata.version downgrade from %d to %d. Refusing to perform the requested downgrade because it might delete metadata information.", f.level, level)
		case down && name == "metadata.version":
			return fmt.Errorf("Unsupported metadata.version downgrade from %d to %d. Unsafe metadata downgrade is not supported in this version.", f.level, level)
		case level != f.level && !validateOnly:
			return wrong("The levels of the reference broker's features are fixed.")
		}
		return nil
	}
	return wrong("Local controller %d does not support this feature.", node)
}
