// The namespace whose policies without a selector are about the whole mesh (Istio: the root namespace).
export const rootNamespace = 'heddle-system'
